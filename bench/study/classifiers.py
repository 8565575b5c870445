"""What answers among the classes of all tasks. Where a classifier has several candidates, the choice takes the best on validation samples."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Classifier:
    name: str
    title: str
    candidates: tuple  # as --classifier takes them
    is_analytic: bool  # solved from sums over features: no step trains it


CLASSIFIERS = {
    classifier.name: classifier
    for classifier in (
        Classifier("local", "local heads", ("local",), False),
        Classifier("normalised", "local heads, normalised", ("local:normalise=true",), False),
        Classifier("prototype", "class means", ("prototype",), True),
        Classifier("ridge", "ridge", ("ridge",), True),
        Classifier("ranpac", "RanPAC", ("ridge:projection=500", "ridge:projection=1000", "ridge:projection=2000"), True),
        Classifier("gaussian", "gaussian", ("gaussian", "gaussian:covariance=class", "gaussian:drift=linear"), True),
    )
}
