#pragma once
// What the files of the classifiers share.
#include "palimpsest/classifier/classifier.h"

namespace palimpsest {

using ClassifierKind = PartKind<Classifier>;

}  // namespace palimpsest
