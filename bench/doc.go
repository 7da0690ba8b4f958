// Package bench has the benchmarks of whole engines for go test; what measures more, and
// prints it better, is the program kvbench, which README.md describes.
//
//	go test -bench . -count 10 ./bench | tee new.txt
//	benchstat -col /engine new.txt
package bench
