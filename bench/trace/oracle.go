package trace

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

// oracleRecord is the size of a record of libCacheSim's oracleGeneral format.
const oracleRecord = 24

// oracleReader reads libCacheSim's binary traces.
type oracleReader struct {
	*source
	r      *bufio.Reader
	limits Limits
	n      int64 // records read
	key    []byte
}

func newOracle(s *source, l Limits) *oracleReader {
	return &oracleReader{source: s, r: bufio.NewReaderSize(s.Reader, 1<<16), limits: l}
}

func (r *oracleReader) Next() (Op, error) {
	var rec [oracleRecord]byte
	if n, err := io.ReadFull(r.r, rec[:]); err == io.EOF {
		return Op{}, io.EOF
	} else if err != nil {
		return Op{}, fmt.Errorf("%s: record %d: %d of %d bytes: %w", r.name, r.n+1, n, oracleRecord, cut(err))
	}
	r.n++
	// time 4, object 8, size 4, next access 8
	r.key = strconv.AppendUint(r.key[:0], binary.LittleEndian.Uint64(rec[4:]), 10)
	op := Op{Action: Reference, Key: r.key, Size: int64(binary.LittleEndian.Uint32(rec[12:]))}
	if err := r.limits.check(op); err != nil {
		return Op{}, fmt.Errorf("%s: record %d: %w", r.name, r.n, err)
	}
	return op, nil
}
