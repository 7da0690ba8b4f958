//go:build (darwin || freebsd || netbsd || openbsd || dragonfly) && !race

package arena

func adviseHuge([]byte) {}
