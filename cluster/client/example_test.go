package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"slices"
	"strconv"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/internal/httpnode"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// serve starts a node in this process, with its data in memory, as kvnode is one on a
// disk.
func serve() (address string, stop func()) {
	r, err := replica.Open("data", time.Now().UnixMilli(), &replica.Options{Engine: lsm.Options{FS: vfs.NewMem(), Memory: 8 << 20}})
	if err != nil {
		log.Fatal(err)
	}
	keyring, err := vclock.NewKeyring(bytes.Repeat([]byte("k"), vclock.MinTokenKey))
	if err != nil {
		log.Fatal(err)
	}
	store, err := httpnode.New(r, httpnode.Options{Keyring: keyring})
	if err != nil {
		log.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Options{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(api)
	return server.URL, func() {
		server.Close()
		_ = r.Close()
	}
}

func Example() {
	address, stop := serve()
	defer stop()
	ctx := context.Background()

	c, err := client.New(client.Options{Addresses: []string{address}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b := c.Bucket("available")

	if _, err := b.Put(ctx, []byte("greeting"), []byte("hello")); err != nil {
		log.Fatal(err)
	}
	e, err := b.Get(ctx, []byte("greeting"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", e.Value)

	// What was read is replaced, and nothing that others wrote since.
	if _, err := b.Put(ctx, e.Key, []byte("hello again"), client.After(e), client.TTL(time.Hour)); err != nil {
		log.Fatal(err)
	}
	if _, err := b.Delete(ctx, e.Key); err != nil {
		log.Fatal(err)
	}
	_, err = b.Get(ctx, e.Key)
	fmt.Println(errors.Is(err, client.ErrNotFound))
	// Output:
	// hello
	// true
}

// A key that two have written without having read one another has both values, until
// somebody says what to make of them.
func ExampleOptions_resolve() {
	address, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.New(client.Options{
		Addresses: []string{address},
		Resolve: func(key []byte, siblings [][]byte) ([]byte, error) {
			slices.SortFunc(siblings, bytes.Compare)
			return bytes.Join(siblings, []byte(", ")), nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b, key := c.Bucket("available"), []byte("cart")

	nothing, _ := b.Get(ctx, key) // not found, which both have read
	for _, item := range []string{"milk", "bread"} {
		if _, err := b.Put(ctx, key, []byte(item), client.After(nothing)); err != nil {
			log.Fatal(err)
		}
	}
	e, err := b.Get(ctx, key)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d siblings: %s\n", len(e.Siblings), e.Value)
	if e, err = b.Resolve(ctx, key); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("then %s\n", e.Value)
	// Output:
	// 2 siblings: bread, milk
	// then bread, milk
}

func ExampleBucket_Update() {
	address, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.New(client.Options{Addresses: []string{address}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b := c.Bucket("available")
	for range 3 {
		e, err := b.Update(ctx, []byte("visits"), func(e *client.Entry) ([]byte, error) {
			n, _ := strconv.Atoi(string(e.Value)) // "" is 0
			return []byte(strconv.Itoa(n + 1)), nil
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", e.Value)
	}
	// Output:
	// 1
	// 2
	// 3
}

func ExampleBucket_Scan() {
	address, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.New(client.Options{Addresses: []string{address}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b := c.Bucket("available")
	_, err = b.Batch(ctx, client.Batch{Ops: []client.Op{
		client.PutOp([]byte("user/1"), []byte("ada")),
		client.PutOp([]byte("user/2"), []byte("grace")),
		client.PutOp([]byte("order/1"), []byte("tea")),
	}})
	if err != nil {
		log.Fatal(err)
	}
	for item, err := range b.Scan(ctx, client.ScanOptions{Prefix: []byte("user/"), Values: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s = %s\n", item.Key, item.Value)
	}
	// Unordered output:
	// user/1 = ada
	// user/2 = grace
}
