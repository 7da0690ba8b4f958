// Package control finds the pauses of the machine itself, so that they are not taken
// for pauses of an engine. A second process does nothing but write 4 KiB and sync
// them, every ten milliseconds, on the disk that the engine uses. When it hangs too,
// the disk or the machine did. It also looks whether a hypervisor took processors away,
// which no engine can do anything about.
//
// The second process is this program again, started with a mark in its environment.
// So a program that measures calls RunIfChild first in its main:
//
//	func main() {
//		control.RunIfChild()
//		…
//		m, err := control.Start(dir)
//		…
//		report, err := m.Stop()
//	}
//
// A pause of the control says that the disk was slow for everybody. It does not say
// who kept it busy: that may have been the engine.
package control
