package bunstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/flowlatch/flowlatch/domain"
)

// searchPause is how long connections to a server that can only be read are used before a server
// that can be written is looked for again.
const searchPause = time.Second

// renewPause is how long Options.Renew is not called again. It is also how long a connection that
// failed waits for its answer.
const renewPause = time.Second

// errStandby is why a server was not taken. It can only be read: it is a standby, or
// default_transaction_read_only is on.
var errStandby = errors.New("the server can only be read")

// servers makes the connections to Postgres. Of the hosts in the URL it takes the first one that
// can be written. If there is none, it takes one that can be read. All its methods are safe for
// concurrent use.
//
// A connection is not used again after its server refused to write, or after another connection
// broke, or if it can only be read and a server that can be written was reached since. So a pool
// follows a failover by itself.
//
// Its times are of time.Now, not of Options.Now. They are only compared with each other in this
// process, and time.Now compares by a monotonic clock, which nobody sets back. With a clock that
// is set back, or stands still, connections to a standby would be used for ever.
type servers struct {
	options Options
	driver  driver.Driver

	mu      sync.Mutex
	url     domain.Secret
	at      address           // what url says
	hosts   []*pgx.ConnConfig // one for each host of url
	asked   time.Time         // when Options.Renew was called last
	asking  chan struct{}     // closed when that call has ended; nil after that
	reading bool              // the last connection can only be read
	sought  time.Time         // when a server that can be written was looked for last
	doubted time.Time         // connections that were made before are not used again
}

// made is what is known about a connection. It is in the CustomData of the connection.
type made struct {
	at      time.Time
	reading bool // it can only be read
}

const madeKey = "flowlatch"

func madeOf(conn *pgconn.PgConn) made {
	m, _ := conn.CustomData()[madeKey].(made)
	return m
}

func newServers(url domain.Secret, at address, o Options) *servers {
	s := &servers{options: o, driver: stdlib.GetDefaultDriver()}
	s.use(url, at)
	return s
}

// use makes the next connections to the servers of a URL. The caller must hold the lock, or be the
// only one who has s.
func (s *servers) use(url domain.Secret, at address) {
	setUp(at.postgres, s.options)
	s.url, s.at, s.hosts, s.reading = url, at, s.split(at.postgres), false
}

// describe names the database for people.
func (s *servers) describe() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.String()
}

// renew asks for the URL again. It reports whether the servers of another URL than tried can be
// tried now. It waits until renewPause has passed since the question. Then all go on with the old
// URL until the answer comes.
func (s *servers) renew(ctx context.Context, tried domain.Secret) bool {
	if s.options.Renew == nil {
		return false
	}
	if now, _ := s.current(); !now.Equal(tried) {
		return true // somebody else asked
	}
	if answered, _ := s.ask(ctx, renewPause); answered != nil {
		_, asked := s.current()
		late := time.NewTimer(renewPause - time.Since(asked))
		defer late.Stop()
		select {
		case <-answered:
		case <-late.C:
		case <-ctx.Done():
		}
	}
	now, _ := s.current()
	return !now.Equal(tried)
}

// renewNow asks for the URL, however recently renew did, and waits for the answer until ctx is
// done. It reports whether the URL has changed.
func (s *servers) renewNow(ctx context.Context) (changed bool) {
	before, _ := s.current()
	for began := false; !began && ctx.Err() == nil; {
		var answered <-chan struct{}
		answered, began = s.ask(ctx, 0) // an earlier question may get an old answer
		select {
		case <-answered:
		case <-ctx.Done():
		}
	}
	now, _ := s.current()
	return !now.Equal(before)
}

// ask calls Options.Renew in a goroutine of its own, because the call may hang. If a call is under
// way, there is no second one. answered is closed when the call has ended. It is nil if the last
// call began less than pause ago and has ended.
func (s *servers) ask(ctx context.Context, pause time.Duration) (answered <-chan struct{}, began bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.asking != nil:
		return s.asking, false
	case time.Since(s.asked) < pause:
		return nil, false
	}
	s.asked, s.asking = time.Now(), make(chan struct{})
	go s.takeRenewed(context.WithoutCancel(ctx), s.asking)
	return s.asking, true
}

// takeRenewed calls Options.Renew and uses the URL that it returns. Whatever is wrong with that
// URL, the old one stays in use. It closes answered at the end.
func (s *servers) takeRenewed(ctx context.Context, answered chan<- struct{}) {
	defer close(answered)
	late := time.AfterFunc(renewPause, func() {
		s.options.Log.WarnContext(ctx, "reading the database URL again takes long, so the old one stays in use until it is read; check its file")
	})
	url, err := s.options.Renew(ctx)
	late.Stop()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = nil
	if err == nil && url.Equal(s.url) {
		return
	}
	var at address
	if err == nil {
		at, err = parseURL(url)
	}
	switch {
	case err != nil:
	case at.postgres == nil:
		err = errors.New("it names a database that is not Postgres")
	case at.postgres.Database != s.at.postgres.Database:
		err = errors.New("it names another database; to change the database, restart the service")
	}
	if err != nil {
		s.options.Log.WarnContext(ctx, "the new database URL can't be used, so the old one stays in use", "err", err.Error())
		return
	}
	s.use(url, at)
	s.options.Log.InfoContext(ctx, "the database URL was read again", "database", at.String())
}

// current returns the URL in use, and when Options.Renew was called last.
func (s *servers) current() (url domain.Secret, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url, s.asked
}

// Driver implements driver.Connector.
func (s *servers) Driver() driver.Driver { return s.driver }

// Connect implements driver.Connector. If no server can be reached, or if it rejects the login, it
// asks for another URL and tries that.
func (s *servers) Connect(ctx context.Context) (driver.Conn, error) {
	url, hosts, seek := s.plan()
	conn, err := s.connect(ctx, hosts, seek)
	if err != nil && s.renew(ctx, url) {
		_, hosts, seek = s.plan()
		return s.connect(ctx, hosts, seek)
	}
	return conn, err
}

func (s *servers) connect(ctx context.Context, hosts []*pgx.ConnConfig, seek bool) (driver.Conn, error) {
	var standby *pgx.ConnConfig
	var failed unreachable
	for _, host := range hosts {
		conn, err := s.open(ctx, host, seek)
		if err == nil {
			s.reached(host, !seek)
			return conn, nil
		}
		if errors.Is(err, errStandby) && standby == nil {
			standby = host
		}
		failed = append(failed, err)
	}
	if standby == nil {
		s.lostAll()
		return nil, failed
	}
	conn, err := s.open(ctx, standby, false)
	if err != nil {
		return nil, append(failed, err)
	}
	s.reached(standby, true)
	return conn, nil
}

// plan returns the URL and its hosts, in the order in which they are tried, and whether only one
// that can be written is wanted. While the last connection can only be read, one caller in each searchPause
// looks for a better one, and the others are content.
func (s *servers) plan() (url domain.Secret, hosts []*pgx.ConnConfig, seek bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading && time.Since(s.sought) < searchPause {
		return s.url, s.hosts, false
	}
	s.sought = time.Now()
	return s.url, s.hosts, true
}

// reached notes the outcome of a connect. The host is tried first from now on, so that nobody
// waits for hosts that are gone.
func (s *servers) reached(host *pgx.ConnConfig, reading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = reading
	for i, h := range s.hosts {
		if h == host {
			s.hosts = append(append([]*pgx.ConnConfig{host}, s.hosts[:i]...), s.hosts[i+1:]...)
			return
		}
	}
}

// lostAll notes that no server was reached. The next connect looks for one that can be written.
func (s *servers) lostAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
}

// open makes one connection. If writable is set, it takes only a server that can be written.
func (s *servers) open(ctx context.Context, host *pgx.ConnConfig, writable bool) (driver.Conn, error) {
	config := host.Copy()
	asGiven := config.ValidateConnect // by target_session_attrs in the URL
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := checkEncoding(conn); err != nil {
			return err
		}
		if asGiven != nil {
			if err := asGiven(ctx, conn); err != nil {
				return err
			}
		}
		if writable {
			if err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn); errors.Is(err, pgconn.ErrReadOnlyConnection) {
				return errStandby
			} else if err != nil {
				return err
			}
		}
		conn.CustomData()[madeKey] = made{at: time.Now(), reading: !writable}
		return nil
	}
	config.OnPgError = s.keeps
	return stdlib.GetConnector(*config, stdlib.OptionResetSession(s.reuse)).Connect(ctx)
}

// keeps reports whether a connection may be used on after the error. It is closed if the server
// ends it, and if the server refuses to write.
func (s *servers) keeps(conn *pgconn.PgConn, err *pgconn.PgError) bool {
	if err.Code == readOnlyTransaction {
		if !madeOf(conn).reading {
			s.doubt() // the others lead to the same server
		}
		return false
	}
	return !strings.EqualFold(err.SeverityUnlocalized, "FATAL") && !strings.EqualFold(err.Severity, "FATAL")
}

// reuse returns driver.ErrBadConn for a connection that is not to be used again.
func (s *servers) reuse(_ context.Context, conn *pgx.Conn) error {
	m := madeOf(conn.PgConn())
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.at.Before(s.doubted) || m.reading && (!s.reading || time.Since(s.sought) >= searchPause) {
		return driver.ErrBadConn
	}
	return nil
}

// doubt makes sure that no earlier connection is used again.
func (s *servers) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubted = time.Now()
	s.reading = false
}

// onlyReads reports whether the last connection can only be read.
func (s *servers) onlyReads() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reading
}

// split returns a config for each host of the URL. pgx has a fallback for each host, and others
// for a host that is tried with and without TLS.
func (s *servers) split(config *pgx.ConnConfig) []*pgx.ConnConfig {
	type place struct {
		host string
		port uint16
	}
	first := &pgconn.FallbackConfig{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}
	var hosts []*pgx.ConnConfig
	byPlace := map[place]*pgx.ConnConfig{}
	for _, fallback := range append([]*pgconn.FallbackConfig{first}, config.Fallbacks...) {
		at := place{fallback.Host, fallback.Port}
		if host, there := byPlace[at]; there {
			host.Fallbacks = append(host.Fallbacks, fallback)
			continue
		}
		host := config.Copy()
		host.Host, host.Port, host.TLSConfig, host.Fallbacks = fallback.Host, fallback.Port, fallback.TLSConfig, nil
		byPlace[at], hosts = host, append(hosts, host)
	}
	// A host that is gone must leave time for the others.
	limit := s.options.Timeout
	if len(hosts) > 1 {
		limit /= time.Duration(len(hosts) + 1)
	}
	for _, host := range hosts {
		if host.ConnectTimeout == 0 || host.ConnectTimeout > limit {
			host.ConnectTimeout = limit
		}
	}
	return hosts
}

// unreachable is why no server could be reached: an error for each attempt.
type unreachable []error

func (u unreachable) Error() string {
	texts := make([]string, len(u))
	for i, err := range u {
		texts[i] = strings.Join(strings.Fields(err.Error()), " ") // the texts of pgx have several lines
	}
	return strings.Join(texts, "; ")
}

func (u unreachable) Unwrap() []error { return u }
