package client

import "time"

// SetIDLife makes the time short for which writes with an id are repeated.
func SetIDLife(d time.Duration) (restore func()) {
	old := idLife
	idLife = d
	return func() { idLife = old }
}
