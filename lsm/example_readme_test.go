package lsm_test

import (
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/ringwood-kv/ringwood/lsm"
)

// The program of the README: TestReadme holds the two together.
func Example() {
	dir, err := os.MkdirTemp("", "ringwood")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(dir); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ring-porous
	// tree/oak = ring-porous
}

func run(dir string) (err error) {
	db, err := lsm.Open(dir, nil) // every option has a good default
	if err != nil {
		return err
	}
	// An error of Close says that not every commit could be made durable.
	defer func() { err = errors.Join(err, db.Close()) }()

	if err := db.Put([]byte("tree/oak"), []byte("ring-porous")); err != nil { // on disk when it returns
		return err
	}
	v, err := db.Get([]byte("tree/oak"))
	if err != nil { // lsm.ErrNotFound, if the key is not there
		return err
	}
	fmt.Printf("%s\n", v)

	it, err := db.NewIter(&lsm.IterOptions{Prefix: []byte("tree/")})
	if err != nil {
		return err
	}
	defer it.Close()
	for k, v := range it.All() { // k and v live until the next round only: copy what is to stay
		fmt.Printf("%s = %s\n", k, v)
	}
	return it.Err() // why the walk ended: nil if there are no more keys
}
