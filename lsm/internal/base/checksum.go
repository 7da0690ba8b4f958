package base

import (
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC32C of data, bound to where the data belongs: id
// names the file (a table's unique id, a log's number) and offset the position
// in it. A block that a disk returned from another place or another file does
// not check out. The result is masked, so that a region of zeros is never valid.
func Checksum(id uint64, offset int64, data ...[]byte) uint32 {
	// The two integers byte by byte, little-endian. crc32.Update would take them only
	// from memory, and lets that escape: an allocation for each block read.
	c := ^uint32(0)
	for _, x := range [2]uint64{id, uint64(offset)} {
		for range 8 {
			c = castagnoli[byte(c)^byte(x)] ^ c>>8
			x >>= 8
		}
	}
	c = ^c
	for _, d := range data {
		c = crc32.Update(c, castagnoli, d)
	}
	return (c>>15 | c<<17) + 0xa282ead8
}
