//go:build !race

package nodetest

var race []string
