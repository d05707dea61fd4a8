"""The board's static classes."""

from django.contrib.staticfiles import finders

from courses.pages.grid import stylesheet


def test_the_style_sheet_is_what_the_generator_makes() -> None:
    path = finders.find("courses/grid.css")
    assert path
    with open(path) as file:
        assert file.read() == stylesheet()
