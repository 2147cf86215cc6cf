package session

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	var b []byte
	b = appendFrame(b, frameInput, []byte("keys"))
	b = appendFrame(b, frameEOF, nil)
	b = appendFrame(b, frameOutput, bytes.Repeat([]byte("x"), 100_000))
	b = appendJSON(b, frameRunning, started{"a-bc"})
	r := bytes.NewReader(b)
	for _, want := range []struct {
		kind byte
		n    int
	}{{frameInput, 4}, {frameEOF, 0}, {frameOutput, 100_000}, {frameRunning, 13}} {
		kind, data, err := readFrame(r, maxReply)
		if err != nil || kind != want.kind || len(data) != want.n {
			t.Fatal(kind, len(data), err)
		}
	}
	if _, _, err := readFrame(r, maxReply); err != io.EOF {
		t.Error(err)
	}
	if _, _, err := readFrame(bytes.NewReader(b[9:]), maxRequest); err != nil {
		t.Error(err)
	}
	if _, _, err := readFrame(bytes.NewReader(b[14:]), maxRequest); err == nil || !strings.Contains(err.Error(), "100000 bytes") {
		t.Error(err)
	}
	if _, _, err := readFrame(bytes.NewReader(b[:7]), maxRequest); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
	if rows, cols, ok := readSize(sizeFrame(24, 300)); !ok || rows != 24 || cols != 300 {
		t.Error(rows, cols, ok)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, frameInput, []byte("keys")), frameSize, sizeFrame(1, 2)))
	f.Add([]byte("h\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		var again []byte
		for {
			kind, data, err := readFrame(r, maxRequest)
			if err != nil {
				break
			}
			again = appendFrame(again, kind, data)
		}
		if !bytes.HasPrefix(b, again) {
			t.Errorf("%q read as %q", b, again)
		}
	})
}
