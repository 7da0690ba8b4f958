package base

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC32C of data, bound to where the data belongs: id
// names the file (a table's unique id, a log's number) and offset the position
// in it. A block that a disk returned from another place or another file does
// not check out. The result is masked, so that a region of zeros is never valid.
func Checksum(id uint64, offset int64, data ...[]byte) uint32 {
	var seed [16]byte
	binary.LittleEndian.PutUint64(seed[:8], id)
	binary.LittleEndian.PutUint64(seed[8:], uint64(offset))
	c := crc32.Update(0, castagnoli, seed[:])
	for _, d := range data {
		c = crc32.Update(c, castagnoli, d)
	}
	return (c>>15 | c<<17) + 0xa282ead8
}
