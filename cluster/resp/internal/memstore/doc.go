// Package memstore is a plain exec.Store in memory: what the tests of the server run
// against, and a model of the contract for other stores. It is not for production: one
// lock guards all keys, SCAN sorts all of them, expired keys stay until they are
// replaced.
package memstore
