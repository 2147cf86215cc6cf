package session

// The server's side of a client.

import (
	"encoding/json"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// listen serves those who connect.
func (s *server) listen(l *os.File) {
	for {
		conn, err := accept(l)
		if err != nil {
			select {
			case <-s.over:
				return
			case <-time.After(100 * time.Millisecond): // too many files, perhaps
			}
			if _, err := l.Stat(); err != nil {
				return
			}
			continue
		}
		go s.greet(conn)
	}
}

// helloTime is how long a client may take to say what it wants.
const helloTime = 10 * time.Second

// greet finds out what a client wants.
func (s *server) greet(conn *os.File) {
	refuse := func(why string) {
		conn.SetWriteDeadline(time.Now().Add(helloTime))
		conn.Write(appendFrame(nil, frameRefused, []byte(why)))
		conn.Close()
	}
	if why := refusal(conn); why != "" {
		refuse(why)
		return
	}
	conn.SetReadDeadline(time.Now().Add(helloTime))
	kind, data, err := readFrame(conn, maxRequest)
	var h hello
	if err != nil || kind != frameHello || json.Unmarshal(data, &h) != nil {
		refuse("the client does not speak as sbx does")
		return
	}
	if h.Version != version {
		refuse("the client is of another version of sbx")
		return
	}
	conn.SetReadDeadline(time.Time{})
	select {
	case <-s.started:
	case <-s.over:
	}
	s.mu.Lock()
	up := s.master != nil && !s.ended
	s.mu.Unlock()
	if !up {
		refuse(refusedEnded)
		return
	}
	switch h.Want {
	case "attach":
		s.mu.Lock()
		if h.Alone && s.attached() > 0 {
			s.mu.Unlock()
			conn.Write(appendFrame(nil, frameBusy, nil))
			conn.Close()
			return
		}
		c := s.addLocked(conn, h.Whole, true)
		c.out = appendJSON(c.out, frameRunning, started{s.info.ID})
		s.show(c)
		s.resize(h.Rows, h.Cols, true)
		s.record()
		s.changed.Broadcast()
		s.mu.Unlock()
	case "join":
		if _, err := conn.Write(appendFrame(nil, frameJoin, s.rest)); err != nil || send(conn, '+', s.namespaces) != nil {
			conn.Close()
			return
		}
		s.add(conn, false, false)
	case "signal":
		s.add(conn, false, false)
	default:
		refuse("what the client wants makes no sense")
	}
}

// add takes a client in and serves it from now on.
func (s *server) add(conn *os.File, whole, attached bool) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addLocked(conn, whole, attached)
}

func (s *server) addLocked(conn *os.File, whole, attached bool) *client {
	c := &client{conn: conn, whole: whole, attached: attached, stall: stall}
	s.clients[c] = true
	go s.write(c)
	go s.read(c)
	return c
}

// drop lets a client go, with the lock held.
func (s *server) drop(c *client) {
	if c.gone {
		return
	}
	c.gone = true
	delete(s.clients, c)
	c.conn.Close()
	if c.attached && s.entry != nil {
		s.record()
	}
	s.changed.Broadcast()
}

// write sends what waits for the client.
func (s *server) write(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(c.out) == 0 && !c.gone && !(c.behind && !c.paused) && !c.last {
			s.changed.Wait()
		}
		switch {
		case c.gone:
			return
		case len(c.out) > 0:
			b := c.out
			c.out = nil
			s.mu.Unlock()
			_, err := c.conn.Write(b)
			s.mu.Lock()
			if err != nil {
				s.drop(c)
			}
			s.changed.Broadcast()
		case c.last:
			s.drop(c)
		default: // it takes part again
			s.show(c)
			s.changed.Broadcast()
		}
	}
}

// read obeys the client. Whatever it sends, it is of no harm to the others.
func (s *server) read(c *client) {
	for {
		kind, data, err := readFrame(c.conn, maxRequest)
		if err != nil || !s.obey(c, kind, data) {
			s.mu.Lock()
			s.drop(c)
			s.mu.Unlock()
			return
		}
	}
}

// obey does what a frame asks for, and reports whether it makes sense.
func (s *server) obey(c *client, kind byte, data []byte) bool {
	if kind != frameSignal && !c.attached {
		return false
	}
	switch kind {
	case frameInput:
		s.enter(data)
	case frameEOF:
		s.enter([]byte{s.eof()})
	case frameSize:
		rows, cols, ok := readSize(data)
		if !ok {
			return false
		}
		s.mu.Lock()
		s.resize(rows, cols, false)
		s.mu.Unlock()
	case framePause:
		s.mu.Lock()
		c.behind, c.paused, c.out = true, true, nil
		s.changed.Broadcast()
		s.mu.Unlock()
	case frameResume:
		rows, cols, ok := readSize(data)
		if !ok {
			return false
		}
		s.mu.Lock()
		c.paused = false
		s.resize(rows, cols, true)
		s.changed.Broadcast()
		s.mu.Unlock()
	case frameSignal:
		<-s.started
		s.mu.Lock() // so that the end which comes of it does not overtake the answer
		defer s.mu.Unlock()
		for _, sig := range data {
			if s.leader < 0 || sig < 1 || sig > 64 {
				return false
			}
			unix.PidfdSendSignal(s.leader, unix.Signal(sig), nil, 0)
		}
		c.out = appendFrame(c.out, frameDone, nil)
		s.changed.Broadcast()
	case frameLeave: // it is told when it does not count any more
		s.mu.Lock()
		c.attached, c.last = false, true
		s.record()
		c.out = appendFrame(nil, frameLeft, nil)
		s.changed.Broadcast()
		s.mu.Unlock()
	default:
		return false
	}
	return true
}

// enter types.
func (s *server) enter(b []byte) {
	select {
	case s.input <- b:
	case <-s.over:
	}
}

// eof returns the key that ends the input.
func (s *server) eof() byte {
	c := byte(4) // ^D
	<-s.started
	if s.master != nil {
		withFD(s.master, func(fd int) {
			if t, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil && t.Cc[unix.VEOF] != 0 {
				c = t.Cc[unix.VEOF]
			}
		})
	}
	return c
}
