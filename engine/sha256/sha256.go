// Package sha256 computes SHA-256 digests (FIPS 180-4), with the names of
// crypto/sha256.
//
// That one is several times as fast, and what sbx digests is mostly small. But it brings the
// fourteen packages of Go's FIPS 140 module, and each start of sbx would wait for
// their initialisers: some hundredths of the time of a small sandbox.
package sha256

import (
	"encoding/binary"
	"math/bits"
)

// Size is the size of a digest, in bytes.
const Size = 32

const (
	blockSize = 64
	lengthAt  = blockSize - 8 // of the last block, where the length of it all stands
)

// Hash is the digest of what has been written to it so far. It is made by New.
type Hash struct {
	state [8]uint32
	rest  [blockSize]byte // the start of the next block
	size  uint64          // of all that was written, in bytes
}

// New returns the Hash of nothing.
func New() *Hash {
	return &Hash{state: [8]uint32{
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	}}
}

// Sum256 returns the digest of p.
func Sum256(p []byte) (sum [Size]byte) {
	h := New()
	h.Write(p)
	h.Sum(sum[:0])
	return sum
}

// Write adds p. It never fails.
func (h *Hash) Write(p []byte) (int, error) {
	n := len(p)
	begun := h.size % blockSize
	h.size += uint64(n)
	if begun > 0 {
		taken := copy(h.rest[begun:], p)
		if begun+uint64(taken) < blockSize {
			return n, nil
		}
		h.block(h.rest[:])
		p = p[taken:]
	}
	for ; len(p) >= blockSize; p = p[blockSize:] {
		h.block(p[:blockSize])
	}
	copy(h.rest[:], p)
	return n, nil
}

// Sum appends the digest to b. More can be written after it.
func (h *Hash) Sum(b []byte) []byte {
	end := *h
	var pad [2 * blockSize]byte
	pad[0] = 0x80
	n := lengthAt - int(h.size%blockSize)
	if n <= 0 {
		n += blockSize
	}
	binary.BigEndian.PutUint64(pad[n:], h.size*8)
	end.Write(pad[:n+8])
	for _, v := range end.state {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// rounds are the first 32 bits of the fractional parts of the cube roots of the first
// 64 primes (FIPS 180-4, 4.2.2).
var rounds = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

// block adds a block (FIPS 180-4, 6.2.2).
func (h *Hash) block(p []byte) {
	var w [64]uint32
	for i := range 16 {
		w[i] = binary.BigEndian.Uint32(p[4*i:])
	}
	for i := 16; i < len(w); i++ {
		x, y := w[i-15], w[i-2]
		s0 := bits.RotateLeft32(x, -7) ^ bits.RotateLeft32(x, -18) ^ x>>3
		s1 := bits.RotateLeft32(y, -17) ^ bits.RotateLeft32(y, -19) ^ y>>10
		w[i] = w[i-16] + s0 + w[i-7] + s1
	}
	s := h.state
	a, b, c, d, e, f, g, last := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	for i, v := range w {
		t1 := last + (bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)) + (e&f ^ ^e&g) + rounds[i] + v
		t2 := (bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)) + (a&b ^ a&c ^ b&c)
		a, b, c, d, e, f, g, last = t1+t2, a, b, c, d+t1, e, f, g
	}
	for i, v := range [8]uint32{a, b, c, d, e, f, g, last} {
		h.state[i] += v
	}
}
