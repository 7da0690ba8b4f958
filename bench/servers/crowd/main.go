// Command crowd opens many connections to a server that speaks RESP and keeps them: half
// of them idle, half of them sending a request one byte a second. It says when all of them
// are there, and keeps them until its standard input ends; then they end with the program.
//
//	go run ./bench/servers/crowd -connections 10000 -address 127.0.0.1:6379
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

func main() {
	n := flag.Int("connections", 10_000, "how many")
	address := flag.String("address", "127.0.0.1:6379", "of the server")
	flag.Parse()
	if err := run(*n, *address); err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func run(n int, address string) error {
	idle, slow := make([]net.Conn, 0, n), make([]net.Conn, 0, n)
	for i := range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		if err := ping(c); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		if i%2 == 0 {
			idle = append(idle, c)
		} else {
			slow = append(slow, c)
		}
	}
	fmt.Printf("ready: %d idle, %d slow\n", len(idle), len(slow))
	go trickle(slow)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func ping(c net.Conn) error {
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return err
	}
	reply := make([]byte, 7)
	if _, err := io.ReadFull(c, reply); err != nil {
		return err
	}
	if string(reply) != "+PONG\r\n" {
		return fmt.Errorf("the answer to PING is %q", reply)
	}
	return nil
}

// trickle has each connection send a byte of a long request in each second.
func trickle(all []net.Conn) {
	request := fmt.Sprintf("*3\r\n$3\r\nSET\r\n$4\r\nslow\r\n$1000\r\n%01000d\r\n", 0)
	for at := 0; ; at = (at + 1) % len(request) {
		begin := time.Now()
		for i, c := range all {
			if _, err := io.WriteString(c, request[at:at+1]); err != nil {
				fmt.Fprintf(os.Stderr, "crowd: slow connection %d: %v\n", i, err)
				os.Exit(1)
			}
			if i%5 == 0 { // spread over the second
				time.Sleep(time.Until(begin.Add(time.Second * time.Duration(i) / time.Duration(len(all)))))
			}
		}
		time.Sleep(time.Until(begin.Add(time.Second)))
	}
}
