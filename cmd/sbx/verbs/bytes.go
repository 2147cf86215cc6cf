package verbs

// Words of a command line that are not UTF-8, as the names of files may be: kong
// passes words through JSON, which has no place for such bytes.

import (
	"reflect"
	"strings"
	"unicode/utf8"
)

// byteRune is the code point, of a plane for private use, that stands for byte 0.
const byteRune = 0x10FE00

// asText returns words in which a code point stands for each byte that is not
// part of UTF-8, and whether there were any.
func asText(words []string) ([]string, bool) {
	out, any := make([]string, len(words)), false
	for i, w := range words {
		if out[i] = w; utf8.ValidString(w) {
			continue
		}
		any = true
		var b strings.Builder
		for len(w) > 0 {
			r, n := utf8.DecodeRuneInString(w)
			if r == utf8.RuneError && n == 1 {
				r = byteRune + rune(w[0])
			}
			b.WriteRune(r)
			w = w[n:]
		}
		out[i] = b.String()
	}
	return out, any
}

// asBytes undoes asText in one word.
func asBytes(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= byteRune+0x80 && r <= byteRune+0xff {
			b.WriteByte(byte(r - byteRune))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// restoreBytes undoes asText in all strings of a grammar.
func restoreBytes(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(asBytes(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			restoreBytes(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			restoreBytes(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			restoreBytes(v.Field(i))
		}
	}
}
