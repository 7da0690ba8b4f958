//go:build !nopeers

package engine

// peers are the engines that the tag nopeers leaves out, because what they depend on
// takes several times as long to build as everything else here.
var peers = []Kind{Pebble, PebbleTuned, Badger, BadgerVlog, Bbolt}
