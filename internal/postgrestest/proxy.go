package postgrestest

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Proxy stands between a test and its database and simulates outages. Its address never
// changes. It is safe for concurrent use.
type Proxy struct {
	dsn             string
	network, server string
	listener        net.Listener
	carriers        sync.WaitGroup

	mu      sync.Mutex
	cut     bool
	resumed chan struct{} // closed unless the proxy is stalled
	conns   map[net.Conn]bool
}

// OpenProxy returns a Proxy for the database at dsn, a postgres:// URL as [DSN] returns. At
// first everything passes. The proxy and its connections are closed when t ends. OpenProxy
// fails t if dsn is invalid or if it can't listen.
func OpenProxy(t testing.TB, dsn string) *Proxy {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("OpenProxy needs a postgres:// URL")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Del("host")
	query.Del("port")
	u.Host, u.RawQuery = listener.Addr().String(), query.Encode()

	p := &Proxy{dsn: u.String(), listener: listener, resumed: make(chan struct{}), conns: map[net.Conn]bool{}}
	p.network, p.server = pgconn.NetworkAddress(config.Host, config.Port)
	close(p.resumed)
	p.carriers.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Cut()
		p.carriers.Wait()
	})
	return p
}

// DSN returns the URL of the database through the proxy.
func (p *Proxy) DSN() string { return p.dsn }

// Lead makes new connections go to the server of another URL, as an address does that moves. Old
// connections stay; Cut ends them.
func (p *Proxy) Lead(dsn string) error {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return errors.New("the URL of the server can't be read") // the error of pgx may show the URL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.network, p.server = pgconn.NetworkAddress(config.Host, config.Port)
	return nil
}

// Cut simulates a crash: connections break, data on the way is lost, and new connections are
// reset at once. A second Cut changes nothing.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.resume()
}

// Stall simulates a lost network: connections stay, new ones are accepted, and no data
// passes. Restore delivers the data that Stall holds, and Cut drops it.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	select {
	case <-p.resumed:
		p.resumed = make(chan struct{})
	default:
	}
}

// Restore ends an outage, for new connections and for those that Stall holds.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	p.resume()
}

// resume delivers the bytes that Stall holds. The caller must hold the lock.
func (p *Proxy) resume() {
	select {
	case <-p.resumed:
	default:
		close(p.resumed)
	}
}

// accept carries each new connection until the listener is closed.
func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.carriers.Go(func() { p.carry(conn) })
	}
}

// carry copies both ways until one end is gone.
func (p *Proxy) carry(client net.Conn) {
	defer p.forget(client)
	if !p.keep(client) {
		// Closing the listener instead would give its port to another process.
		if tcp, ok := client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return
	}
	p.mu.Lock()
	network, address := p.network, p.server
	p.mu.Unlock()
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer p.forget(server)
	if !p.keep(server) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(gate{p, client}, server)
		_ = client.Close()
	})
	_, _ = io.Copy(gate{p, server}, client)
	_ = server.Close()
	back.Wait()
}

// keep remembers conn for Cut. It reports whether conn may be used: there is no cut now.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[conn] = true
	return !p.cut
}

func (p *Proxy) forget(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
	_ = conn.Close()
}

// gate is a connection whose writes wait while the proxy is stalled.
type gate struct {
	proxy *Proxy
	conn  net.Conn
}

func (g gate) Write(b []byte) (int, error) {
	g.proxy.mu.Lock()
	resumed := g.proxy.resumed
	g.proxy.mu.Unlock()
	<-resumed
	return g.conn.Write(b)
}
