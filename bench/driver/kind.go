package driver

// Kind is the kind of a call, which has a histogram of its own.
type Kind uint8

const (
	Read Kind = iota
	Update
	Insert
	Scan
	ReadModifyWrite
	Write
	BatchWrite
	Delete
	Seek
	Push
	Pop
	kinds
)

var kindNames = [kinds]string{
	"read", "update", "insert", "scan", "rmw", "write", "batch", "delete", "seek", "push", "pop",
}

func (k Kind) String() string { return kindNames[k] }

// Kinds returns all kinds, in the order in which reports list them.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}
