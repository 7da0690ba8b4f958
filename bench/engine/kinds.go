package engine

// Kinds returns the engines there are, the first one being the default. A new engine
// is a file with its Kind and a line here.
func Kinds() []Kind {
	return []Kind{
		LSM,
		GoLevelDB,
		Noop,
	}
}
