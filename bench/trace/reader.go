package trace

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// Action is what a request does.
type Action uint8

const (
	Read Action = iota
	Write
	Delete
	Reference // read, or write if the key is not there
)

// Op is a request.
type Op struct {
	Action Action
	Key    []byte // valid until the next call of Next
	Size   int64  // of the value, for Write and Reference
}

// Reader reads requests. It belongs to one goroutine, but for Fraction.
type Reader interface {
	// Next returns the next request, or io.EOF. An error says where it is.
	Next() (Op, error)
	// Fraction tells how much of the file is read, from 0 to 1.
	Fraction() float64
	Close() error
}

// Limits are the largest key and value in bytes; beyond is an error. Zero values mean
// no limit.
type Limits struct{ Key, Value int64 }

func (l Limits) check(op Op) error {
	if l.Key > 0 && int64(len(op.Key)) > l.Key {
		return fmt.Errorf("a key of %d bytes is beyond the engine's limit of %d", len(op.Key), l.Key)
	}
	if l.Value > 0 && op.Size > l.Value {
		return fmt.Errorf("a value of %d bytes is beyond the engine's limit of %d", op.Size, l.Value)
	}
	return nil
}

// Open opens a trace. Its format follows from the name.
func Open(path string, m Mapping, l Limits) (Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	src, err := newSource(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	var r Reader
	name := strings.ToLower(strings.TrimSuffix(path, ".gz"))
	if strings.HasSuffix(name, ".oraclegeneral") || strings.HasSuffix(name, ".oraclegeneral.bin") {
		r = newOracle(src, l)
	} else if r, err = newCSV(src, m, l); err != nil {
		src.Close()
		return nil, err
	}
	return r, nil
}

// source is the bytes of a trace file, decompressed if its name ends in .gz.
type source struct {
	io.Reader
	name string
	file *os.File
	size int64
	read atomic.Int64 // from the file
}

func newSource(f *os.File) (*source, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: this is a directory, not a trace", f.Name())
	}
	s := &source{name: f.Name(), file: f, size: info.Size()}
	s.Reader = counter{f, &s.read}
	if strings.HasSuffix(f.Name(), ".gz") {
		z, err := gzip.NewReader(s.Reader)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		s.Reader = z
	}
	return s, nil
}

type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Fraction is that of the file; of a pipe nobody knows, so it stays 0.
func (s *source) Fraction() float64 {
	if s.size <= 0 {
		return 0
	}
	return min(1, float64(s.read.Load())/float64(s.size))
}

func (s *source) Close() error { return s.file.Close() }

// cut turns the end of a file within a record into an error that is not io.EOF.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
