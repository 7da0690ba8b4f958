//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "null: this program needs Linux")
	os.Exit(1)
}
