"""The static classes of the board's grid. A strict content policy forbids `style="…"`, so places are classes.

`r1…r288` is the five-minute step at which something starts, counted from the first hour shown; `s1…s96` is how many
steps it lasts; `n1…n24` how many hours a column shows; `w1…w6` are the lanes of a column, `l1…l6` the lane in
which something begins and `e2…e7` the lane before which it ends.
`static/courses/grid.css` is the output of `stylesheet`, and a test holds it to that.
"""

STEP_MINUTES = 5
MOST_STARTS = 288
MOST_STEPS = 96
MOST_LANES = 6


def stylesheet() -> str:
    rules = [f".r{n}{{grid-row-start:{n}}}" for n in range(1, MOST_STARTS + 1)]
    rules += [f".s{n}{{grid-row-end:span {n}}}" for n in range(1, MOST_STEPS + 1)]
    rules += [f".n{n}{{grid-template-rows:repeat({12 * n},var(--step))}}" for n in range(1, 25)]
    rules += [f".w{n}{{grid-template-columns:repeat({n},minmax(0,1fr))}}" for n in range(1, MOST_LANES + 1)]
    rules += [f".l{n}{{grid-column-start:{n}}}" for n in range(1, MOST_LANES + 1)]
    rules += [f".e{n}{{grid-column-end:{n}}}" for n in range(2, MOST_LANES + 2)]
    return "@media (min-width:48em),print{\n" + "\n".join(rules) + "\n}\n"
