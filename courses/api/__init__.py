"""The REST API: views validate, call one service, and answer. Whatever can go wrong is a problem+json document."""
