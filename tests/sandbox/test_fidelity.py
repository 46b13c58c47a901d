"""The figures of `python -m bench.fidelity` are counted, not written down."""

from bench.fidelity import Part, leaves, parameters, played_routes
from sandbox.schema import Published


def test_parameters_are_counted_by_name(published: Published) -> None:
    route = published.match("POST", "/v1/coupons")
    assert route is not None
    names = [name for name, _ in leaves(published, published.request_schema(route))]
    assert {"percent_off", "applies_to", "applies_to[products]", "metadata"} <= set(names)
    assert len(names) == len(set(names))


def test_every_parameter_is_played_or_refused(published: Published) -> None:
    for part in parameters(published):
        assert set(part.counts) == {"played", "refused"}
        assert all(count > 0 for count in part.counts.values())
    assert len(played_routes(published)) > 150


def test_a_part_says_its_counts() -> None:
    assert str(Part("Filters", {"played": 3, "refused": 0})).split() == [
        *("Filters", "3", "played,", "0", "refused"),
    ]
