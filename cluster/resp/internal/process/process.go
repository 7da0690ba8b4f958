// Package process asks the operating system what this process uses, for INFO. What a
// system does not tell is not ok.
package process
