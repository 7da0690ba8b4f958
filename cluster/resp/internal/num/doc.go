// Package num reads and writes the numbers of Redis commands: the strict integers of
// INCR, lengths and options, and the floats of INCRBYFLOAT. The commands use it, and
// the wire for its lengths.
//
// INCRBYFLOAT computes in C's long double. On x86 that is the 80-bit format of the
// x87: 64 bits of mantissa, 15 of exponent. Here a big.Float with 64 bits of mantissa
// stands for it: parsing, adding and printing are correctly rounded to nearest, ties
// to even, as the processor and glibc do it, so the texts agree. They differ in one
// place: below 2^-16382 (about 3.4e-4932) the x87 has fewer bits. All of those print
// as 0, because INCRBYFLOAT prints 17 digits after the point. A Redis on arm64 has
// 113 bits and prints other digits than a Redis on x86; we are like x86 everywhere.
//
// Nothing here panics, and the work is bounded by the length of the input, which
// Redis limits to 5119 bytes for a float.
package num
