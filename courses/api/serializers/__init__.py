"""What the API shows and what it takes, by noun. Moments are UTC; dates and times of day are the clinic's own."""
