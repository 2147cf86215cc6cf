package sha256_test

import (
	standard "crypto/sha256"
	"math/rand/v2"
	"testing"

	"sbx/engine/sha256"
)

// Every length up to several blocks, written at once and in two parts, is digested as
// by the standard library; and what is written after a Sum counts.
func TestSameAsStandard(t *testing.T) {
	r := rand.New(rand.NewChaCha8([32]byte{1}))
	text := make([]byte, 300)
	for i := range text {
		text[i] = byte(r.Uint32())
	}
	for n := range text {
		want := standard.Sum256(text[:n])
		if got := sha256.Sum256(text[:n]); got != want {
			t.Fatalf("the digest of %d bytes is %x, not %x", n, got, want)
		}
		cut := r.IntN(n + 1)
		h := sha256.New()
		h.Write(text[:cut])
		h.Sum(nil)
		h.Write(text[cut:n])
		if got := [sha256.Size]byte(h.Sum(nil)); got != want {
			t.Fatalf("the digest of %d and %d bytes is %x, not %x", cut, n-cut, got, want)
		}
	}
}

func FuzzSameAsStandard(f *testing.F) {
	f.Add([]byte("abc"), []byte("defgh"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		want, got := standard.New(), sha256.New()
		for _, h := range [...]interface {
			Write([]byte) (int, error)
		}{want, got} {
			h.Write(a)
			h.Write(b)
		}
		if w, g := string(want.Sum(a)), string(got.Sum(a)); w != g {
			t.Errorf("the digest is %x, not %x", g, w)
		}
	})
}

func BenchmarkSum256(b *testing.B) {
	text := make([]byte, 8<<10)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		sha256.Sum256(text)
	}
}
