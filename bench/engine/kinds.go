package engine

import "slices"

// Kinds returns the engines there are, the first one being the default. A new engine
// is a file with its Kind and a line here, or in a list beside if a build tag decides.
func Kinds() []Kind {
	return slices.Concat(
		[]Kind{LSM, GoLevelDB},
		peers,
		rocks,
		[]Kind{Noop},
	)
}
