package plan

// Str, Mode, Pos and Origin: the small values of a plan and their JSON forms.

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Str is a byte string: a path, an argument or a file's content. Its JSON form
// is a string where it is valid UTF-8 and {"base64": "…"} where it is not.
type Str string

// MarshalJSON implements json.Marshaler.
func (s Str) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(s)) {
		return json.Marshal(string(s))
	}
	return json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(s))})
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Str) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var v struct {
			Base64 *string `json:"base64"`
		}
		if err := strictUnmarshal(b, &v); err != nil {
			return err
		}
		if v.Base64 == nil {
			return fmt.Errorf(`want a string or {"base64": "…"}`)
		}
		raw, err := base64.StdEncoding.DecodeString(*v.Base64)
		if err != nil {
			return err
		}
		*s = Str(raw)
		return nil
	}
	var str string
	if err := json.Unmarshal(b, &str); err != nil {
		return err
	}
	*s = Str(str)
	return nil
}

// Mode is a file mode: permission bits with set-id and sticky bits, at most
// 07777. Its JSON form is an octal string, "0755".
type Mode uint32

// MarshalJSON implements json.Marshaler.
func (m Mode) MarshalJSON() ([]byte, error) { return json.Marshal(m.String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (m *Mode) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil {
		return fmt.Errorf("mode %q is not octal", s)
	}
	*m = Mode(n)
	return nil
}

// String returns the mode in octal with a leading zero.
func (m Mode) String() string { return fmt.Sprintf("%#04o", uint32(m)) }

// ModePtr returns a pointer to m.
func ModePtr(m Mode) *Mode { return &m }

// FormatSize returns a number of bytes, with a larger unit (K, M, G, T) where that is
// as exact.
func FormatSize(n uint64) string {
	unit := ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, u
	}
	return strconv.FormatUint(n, 10) + unit
}

// Pos is a place in a script. Lines and columns count from 1, columns in
// Unicode code points; the zero Pos is no place.
type Pos struct {
	File string
	Line int32
	Col  int32
}

// String returns FILE:LINE:COL.
func (p Pos) String() string {
	if p == (Pos{}) {
		return ""
	}
	return p.File + ":" + strconv.Itoa(int(p.Line)) + ":" + strconv.Itoa(int(p.Col))
}

// MarshalText implements encoding.TextMarshaler.
func (p Pos) MarshalText() ([]byte, error) {
	return []byte(strings.ToValidUTF8(p.String(), "\uFFFD")), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Pos) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "" {
		*p = Pos{}
		return nil
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return fmt.Errorf("position %q is not FILE:LINE:COL", s)
	}
	j := strings.LastIndexByte(s[:i], ':')
	if j < 0 {
		return fmt.Errorf("position %q is not FILE:LINE:COL", s)
	}
	line, err1 := strconv.ParseUint(s[j+1:i], 10, 31)
	col, err2 := strconv.ParseUint(s[i+1:], 10, 31)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("position %q is not FILE:LINE:COL", s)
	}
	*p = Pos{s[:j], int32(line), int32(col)}
	return nil
}

// Frame is one caller: where in the function Func the next inner call was made.
type Frame struct {
	Pos  Pos    `json:"pos"`
	Func string `json:"func,omitempty"`
}

// Origin is where an operation comes from: the call of the built-in, and the
// functions around that call, innermost first.
type Origin struct {
	Pos   Pos     `json:"pos,omitzero"`
	Stack []Frame `json:"stack,omitempty"`
}

// IsZero reports whether nothing is known.
func (o Origin) IsZero() bool { return o.Pos == Pos{} && len(o.Stack) == 0 }
