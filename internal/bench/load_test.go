package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	connections = 16
	answerLimit = 30 * time.Second
)

// pressure is how hard a contender is asked.
type pressure struct {
	connections int
	perSecond   int // on all of them together; 0 is as fast as the answers come
}

// full is as much as there is.
var full = pressure{connections: connections}

// request is an HTTP request as it is sent, and where to.
type request struct {
	addr string
	text []byte
	want int // bytes of the answer's body; set by sameAnswers
}

// newRequest makes a request. header is a line of its head that says who asks, or "".
func newRequest(addr, method, path, header, body string) request {
	text := method + " " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: bench\r\n"
	if header != "" {
		text += header + "\r\n"
	}
	if body != "" {
		text += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return request{addr: addr, text: []byte(text + "\r\n" + body)}
}

// connection is a kept-alive connection that reads no more of an answer than has to be
// looked at.
type connection struct {
	net.Conn
	buffer []byte
}

func dial(addr string) (*connection, error) {
	c, err := net.DialTimeout("tcp", addr, answerLimit)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: c, buffer: make([]byte, 64<<10)}, nil
}

// do sends r and returns the body of the answer, which is good until the next call. Any
// other status than 200 is an error.
func (c *connection) do(r *request) ([]byte, error) {
	if _, err := c.Write(r.text); err != nil {
		return nil, err
	}
	read, head, body := 0, 0, 0
	for head == 0 || read < head+body {
		n, err := c.Read(c.buffer[read:])
		if err != nil {
			return nil, err
		}
		read += n
		if head > 0 {
			continue
		}
		if end := bytes.Index(c.buffer[:read], []byte("\r\n\r\n")); end >= 0 {
			head = end + 4
			if body, err = bodyLength(c.buffer[:head]); err != nil {
				return nil, fmt.Errorf("%w: %s", err, c.buffer[:read])
			}
		}
	}
	if read > head+body {
		return nil, errors.New("the answer is longer than it said")
	}
	return c.buffer[head:read], nil
}

// bodyLength reads the head of an answer.
func bodyLength(head []byte) (int, error) {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return 0, errors.New("the status is not 200")
	}
	_, rest, found := bytes.Cut(head, []byte("\r\nContent-Length: "))
	length, _, _ := bytes.Cut(rest, []byte("\r\n"))
	if !found {
		return 0, errors.New("the answer does not tell its length")
	}
	return strconv.Atoi(string(length))
}

// ask sends one request on a connection of its own.
func ask(r request) ([]byte, error) {
	c, err := dial(r.addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return nil, err
	}
	return c.do(&r)
}

// sameAnswers sends all requests of all contenders and is an error unless their answers
// are equal, to the byte. It notes how long they are.
func sameAnswers(contenders ...*contender) error {
	var conns []*connection
	for _, c := range contenders {
		conn, err := dial(c.of.addr)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		conns = append(conns, conn)
	}
	for i := range contenders[0].requests {
		var first []byte
		for n, c := range contenders {
			got, err := conns[n].do(&c.requests[i])
			if err != nil {
				return err
			}
			if n == 0 {
				first = got
			} else if !bytes.Equal(got, first) {
				return fmt.Errorf("the answers differ: %s\n%s", first, got)
			}
			c.requests[i].want = len(got)
		}
	}
	return nil
}

// round is what one round measured.
type round struct {
	perSecond float64
	p50, p99  time.Duration
	processor time.Duration // of the server, per request
}

// schedule is when the requests of one connection are due.
type schedule struct {
	due   time.Time
	every time.Duration // 0: as soon as the last answer is there
}

// schedule is that of the connection with the number, from began on. The connections
// take turns.
func (p pressure) schedule(began time.Time, connection int) *schedule {
	if p.perSecond == 0 {
		return &schedule{}
	}
	apart := time.Second / time.Duration(p.perSecond)
	return &schedule{due: began.Add(time.Duration(connection) * apart), every: time.Duration(p.connections) * apart}
}

// wait returns, once the next request may be sent, since when it has been due: one that
// had to wait for the answer before it counts from when it should have been sent. now is
// when that answer was there.
func (s *schedule) wait(now time.Time) time.Time {
	if s.every == 0 {
		return now
	}
	due := s.due
	s.due = due.Add(s.every)
	if early := due.Sub(now); early > 0 {
		<-time.After(early)
		return time.Now()
	}
	return due
}

// load sends the contender's requests over all connections for as long as that is.
func (c *contender) load(long time.Duration) (round, error) {
	return c.send(long, math.MaxInt32)
}

// send sends the contender's requests over all connections for as long as that is, and
// no more than that many.
func (c *contender) send(long time.Duration, most int) (round, error) {
	defer c.of.forgetLog()
	stop := c.of.watch(20 * time.Millisecond)
	defer func() { c.of.peak = max(c.of.peak, stop()) }()

	conns := make([]*connection, c.under.connections)
	for i := range conns {
		var err error
		if conns[i], err = dial(c.of.addr); err != nil {
			return round{}, err
		}
		defer func() { _ = conns[i].Close() }()
	}
	took := make([][]time.Duration, len(conns))
	failed := make([]error, len(conns))
	for i := range took {
		took[i] = make([]time.Duration, 0, 1<<16)
	}
	var next atomic.Int64
	next.Store(int64(c.next))
	last := int64(c.next + most)
	before, began := processorTime(c.of.pid), time.Now()
	end := began.Add(long)
	var running sync.WaitGroup
	for i, conn := range conns {
		running.Go(func() {
			if failed[i] = conn.SetDeadline(end.Add(answerLimit)); failed[i] != nil {
				return
			}
			turns := c.under.schedule(began, i)
			for now := turns.wait(began); now.Before(end); now = turns.wait(now) {
				n := next.Add(1)
				if n > last {
					return
				}
				r := &c.requests[int(n)%len(c.requests)]
				body, err := conn.do(r)
				if err == nil && len(body) != r.want {
					err = fmt.Errorf("an answer has %d bytes and not %d: %s", len(body), r.want, body)
				}
				if failed[i] = err; err != nil {
					return
				}
				answered := time.Now()
				took[i] = append(took[i], answered.Sub(now))
				now = answered
			}
		})
	}
	running.Wait()
	passed, used := time.Since(began), processorTime(c.of.pid)-before
	c.next = int(next.Load())
	if err := errors.Join(failed...); err != nil {
		return round{}, err
	}
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	return round{
		perSecond: float64(len(all)) / passed.Seconds(),
		p50:       all[len(all)/2],
		p99:       all[len(all)*99/100],
		processor: used / time.Duration(len(all)),
	}, nil
}
