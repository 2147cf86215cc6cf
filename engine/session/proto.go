package session

// The protocol between a session and its clients: frames on a stream socket,
// each a type, the length of what follows as 32 bits, little end first, and that.

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sbx/engine/plan"
)

// version is that of the protocol; a client says which it speaks.
const version = 1

// Limits of a frame, in bytes: of one that a client sends, and of one that a
// session sends.
const (
	maxRequest = 64 << 10
	maxReply   = 16 << 20
)

// Frames from a client. The first is a hello.
const (
	frameHello  = 'h' // JSON of hello
	frameInput  = 'i' // bytes for the terminal
	frameEOF    = 'e' // no more input
	frameSize   = 'w' // rows and columns, 16 bits each
	framePause  = 'p' // nothing is to be sent until the next frameResume
	frameResume = 'c'
	frameSignal = 's' // one byte each: signals for the command
	frameLeave  = 'l' // the client is about to go
)

// Frames from a session.
const (
	frameOutput  = 'o' // bytes of the terminal
	frameRunning = 'r' // JSON of running: the command has started
	frameExit    = 'x' // wait status of the command, 32 bits; the last frame
	frameFailed  = 'f' // JSON of failed: there is no command; the last frame
	frameRefused = 'n' // why the client is not served; the last frame
	frameBusy    = 'b' // somebody else is attached; the last frame
	frameJoin    = 'j' // JSON of a plan: then comes one byte with the descriptors of the namespaces
	frameDone    = 'd' // what was asked for is done
	frameLeft    = 'l' // the client does not count any more; the last frame
)

// refusedEnded is what a frameRefused says of a session that has ended.
const refusedEnded = "the session has ended"

// hello says what a client wants.
type hello struct {
	Version int    `json:"version"`
	Want    string `json:"want"` // "attach", "join", "signal"
	Rows    uint16 `json:"rows,omitempty"`
	Cols    uint16 `json:"cols,omitempty"`
	// Whole: output that cannot be taken at once is waited for, and never left out.
	Whole bool `json:"whole,omitempty"`
	// Alone: it attaches only where nobody else is.
	Alone bool `json:"alone,omitempty"`
}

type started struct {
	ID string `json:"id"`
}

// failed is what comes of a session whose command did not start.
type failed struct {
	Diags plan.Diagnostics `json:"diagnostics"`
	Code  int              `json:"code"`
}

var errFrame = errors.New("sbx bug: a frame of the session's protocol makes no sense")

// appendFrame appends a frame.
func appendFrame(b []byte, kind byte, data []byte) []byte {
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

func appendJSON(b []byte, kind byte, v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("sbx bug: " + err.Error())
	}
	return appendFrame(b, kind, data)
}

// readFrame reads a frame of at most limit bytes, in pieces: a length alone costs
// the reader nothing.
func readFrame(r io.Reader, limit int) (kind byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.LittleEndian.Uint32(head[1:]))
	if n > limit {
		return 0, nil, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	for len(data) < n {
		at := len(data)
		data = append(data, make([]byte, min(n-at, 32<<10))...)
		if _, err := io.ReadFull(r, data[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
	}
	return head[0], data, nil
}

func sizeFrame(rows, cols uint16) []byte {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, rows), cols)
}

func readSize(b []byte) (rows, cols uint16, ok bool) {
	if len(b) != 4 {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), true
}
