package hosttest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Seed returns the seed of a test's random inputs. It is the same each time, so that
// what passes today does so tomorrow, unless $SBX_TEST_SEED is a number or "random".
func Seed(t testing.TB) uint64 {
	t.Helper()
	switch s := os.Getenv("SBX_TEST_SEED"); s {
	case "":
		return 1
	case "random":
		return rand.Uint64()
	default:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal("SBX_TEST_SEED: ", err)
		}
		return n
	}
}
