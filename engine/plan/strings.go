package plan

// stringFaults: what encoding/json lets pass in strings and in the keys of objects.

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// stringFaults returns the strings that are no Unicode text, where encoding/json puts
// U+FFFD in the place of what is not; the keys that stand twice in one object, of which
// it takes the last; and those that are no name of a plan but match one when case is
// ignored, as it does: names have lower-case letters, digits, "_" and "." only. b is
// valid JSON.
func stringFaults(b []byte) (faults []fault) {
	text := utf8.Valid(b) && !bytes.Contains(b, []byte(`\u`))
	var seen [][]byte     // keys of the objects that are open
	var starts []int      // index in seen where each open object or array begins
	var objects []bool    // whether it is an object
	var large map[int]set // of the objects with many keys, by their depth
	key := false          // the next string is a key
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			starts, objects = append(starts, len(seen)), append(objects, b[i] == '{')
			key = b[i] == '{'
		case '}', ']':
			n := len(starts) - 1
			delete(large, n)
			seen, starts, objects = seen[:starts[n]], starts[:n], objects[:n]
		case ',':
			key = objects[len(objects)-1]
		case ':':
			key = false
		case '"':
			end := stringEnd(b, i)
			if !text && !isText(b[i+1:end]) {
				faults = append(faults, fault{i, `the string is no Unicode text; other bytes are written {"base64": "…"}`})
				if len(faults) >= maxFaults {
					return faults
				}
			}
			if !key {
				i = end
				break
			}
			name := b[i+1 : end]
			if !isKey(name) {
				var s string
				json.Unmarshal(b[i:end+1], &s)
				if name = []byte(s); !isKey(name) {
					faults = append(faults, fault{i, "unknown field " + strconv.Quote(s)})
				}
			}
			n := len(starts) - 1
			own := seen[starts[n]:]
			twice := false
			if len(own) < 40 {
				for _, k := range own {
					twice = twice || bytes.Equal(k, name)
				}
			} else {
				if large[n] == nil {
					if large == nil {
						large = map[int]set{}
					}
					large[n] = newSet(own)
				}
				twice = !large[n].add(name)
			}
			if twice {
				faults = append(faults, fault{i, "field " + strconv.Quote(string(name)) + " is there twice"})
			}
			if len(faults) >= maxFaults {
				return faults
			}
			seen = append(seen, name)
			i = end
		}
	}
	return faults
}

// set is a set of keys.
type set map[string]struct{}

func newSet(keys [][]byte) set {
	s := make(set, 2*len(keys))
	for _, k := range keys {
		s[string(k)] = struct{}{}
	}
	return s
}

// add reports whether the key is new.
func (s set) add(key []byte) bool {
	_, there := s[string(key)]
	s[string(key)] = struct{}{}
	return !there
}

// stringEnd returns the index of the quote that ends the string at b[i].
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i
}

// isText reports whether a string, of which s is what stands between the quotes, is
// Unicode text: UTF-8 without halves of surrogate pairs.
func isText(s []byte) bool {
	if !utf8.Valid(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if i++; s[i] != 'u' {
			continue
		}
		r := hex4(s[i+1:])
		i += 4
		if !utf16.IsSurrogate(r) {
			continue
		}
		if i+6 >= len(s) || s[i+1] != '\\' || s[i+2] != 'u' || utf16.DecodeRune(r, hex4(s[i+3:])) == utf8.RuneError {
			return false
		}
		i += 6
	}
	return true
}

// hex4 returns the value of the four hexadecimal digits at the beginning.
func hex4(s []byte) rune {
	n, _ := strconv.ParseUint(string(s[:4]), 16, 32)
	return rune(n)
}

func isKey(s []byte) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
