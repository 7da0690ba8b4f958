// Package datasync makes the bytes of a file durable, as a log does it.
package datasync
