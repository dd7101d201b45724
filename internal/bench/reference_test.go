package bench

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/flowlatch/flowlatch/domain"
)

// referenceVariable holds the URL of the database for a process of this binary that is
// to be the reference, and nothing but that.
const referenceVariable = "FLOWLATCH_BENCH_REFERENCE"

// store is what the handler needs of a database.
type store interface {
	// who resolves the session of somebody who is logged in: one statement.
	who(ctx context.Context, session string, now int64) (login, error)
	// list returns what is granted to the user: one statement.
	list(ctx context.Context, user string) ([]assistant, error)
	// set puts an assistant session in place of the one that the login had, and
	// stores the audit row with it: one atomic change.
	set(ctx context.Context, s session) (assistant, error)
}

type login struct {
	id, user, role string
	expires        int64
}

type session struct {
	id, request, project, address, agent string
	now                                  int64
	login
}

type assistant struct {
	Name    string
	ID      string `json:"Id"`
	Created created
}

// created is a time in Unix microseconds.
type created int64

func (c created) MarshalText() ([]byte, error) {
	return time.UnixMicro(int64(c)).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000000Z"), nil
}

// serveReference serves the same routes on the database at url.
func serveReference(ctx context.Context, url string) error {
	var s store
	var err error
	if strings.HasPrefix(url, "sqlite://") {
		s, err = openSQLite(ctx, url)
	} else {
		s, err = openPostgres(ctx, url)
	}
	if err != nil {
		return err
	}
	return serveHTTP(ctx, routes(s))
}

func routes(s store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /list", func(w http.ResponseWriter, r *http.Request) {
		sendList(w, r, s, r.URL.Query().Get("user"))
	})
	mux.HandleFunc("GET /get_projects", func(w http.ResponseWriter, r *http.Request) {
		if caller, ok := loggedIn(w, r, s); ok {
			sendList(w, r, s, caller.user)
		}
	})
	mux.HandleFunc("POST /set_project", func(w http.ResponseWriter, r *http.Request) {
		caller, ok := loggedIn(w, r, s)
		if !ok {
			return
		}
		var in struct {
			Project string `json:"project_id"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		now := time.Now()
		id, err := domain.NewSessionID(now, rand.Reader)
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		request, err := domain.NewRequestID(now, rand.Reader)
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		address, _, _ := net.SplitHostPort(r.RemoteAddr)
		set, err := s.set(r.Context(), session{
			id: string(id), request: request, project: in.Project, address: address, agent: r.UserAgent(), now: now.UnixMicro(), login: caller,
		})
		if err != nil {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "assistant", Value: string(id), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		send(w, struct {
			Message   string    `json:"message"`
			Assistant assistant `json:"assistant"`
		}{"the assistant is set", set})
	})
	return mux
}

// loggedIn says who calls. All who call the reference are members; one that is whole
// would have another list for admins.
func loggedIn(w http.ResponseWriter, r *http.Request, s store) (login, bool) {
	cookie, err := r.Cookie("session")
	if err != nil {
		http.Error(w, "", http.StatusUnauthorized)
		return login{}, false
	}
	caller, err := s.who(r.Context(), cookie.Value, time.Now().UnixMicro())
	if err != nil || caller.role != "member" {
		http.Error(w, "", http.StatusUnauthorized)
		return login{}, false
	}
	return caller, true
}

func sendList(w http.ResponseWriter, r *http.Request, s store, user string) {
	list, err := s.list(r.Context(), user)
	if err != nil || len(list) == 0 {
		http.Error(w, "", http.StatusNotFound)
		return
	}
	send(w, struct {
		Message    string      `json:"message"`
		Assistants []assistant `json:"assistants"`
	}{"these are the assistants that you may use", list})
}

func send(w http.ResponseWriter, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

const (
	selectWho = `SELECT s.id, u.id, u.role, s.expires FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = $1 AND s.kind = 'login' AND s.ends > $2 AND NOT u.disabled`

	selectList = `SELECT p.name, p.id, p.created FROM grants g JOIN projects p ON p.id = g.project_id
WHERE g.user_id = $1 ORDER BY g.name, g.project_id LIMIT 500`

	selectGranted = `SELECT p.name, p.id, p.created FROM grants g JOIN projects p ON p.id = g.project_id
WHERE g.user_id = $1 AND g.project_id = $2`

	insertSession = `INSERT INTO sessions (id, kind, user_id, login_id, project_id, by_role, remember, created, last_used, idle, expires, address, agent) `

	replacing = ` ON CONFLICT (login_id) WHERE login_id IS NOT NULL DO UPDATE SET id = excluded.id, project_id = excluded.project_id,
created = excluded.created, last_used = excluded.last_used, idle = excluded.idle, expires = excluded.expires, address = excluded.address, agent = excluded.agent`

	insertAudit = `INSERT INTO audit (at, actor, action, object, outcome, request_id, address) `
)

// The grant is locked, so that one that is taken back at this moment lets nobody in;
// project and login are locked by the foreign keys.
const setOnPostgres = `WITH allowed AS (` + selectGranted + ` FOR KEY SHARE OF g),
opened AS (` + insertSession + `SELECT $3, 'assistant', $1, $4, $2, false, true, $5, $5, $6, $6, $7, $8 FROM allowed` + replacing + ` RETURNING id),
recorded AS (` + insertAudit + `SELECT $5, $9, 'set_project', $10, 'ok', $11, $7 FROM opened)
SELECT * FROM allowed`

type onPostgres struct{ pool *pgxpool.Pool }

func openPostgres(ctx context.Context, url string) (*onPostgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 20 // as the service has by default
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return &onPostgres{pool}, err
}

func (p *onPostgres) who(ctx context.Context, session string, now int64) (l login, err error) {
	err = p.pool.QueryRow(ctx, selectWho, session, now).Scan(&l.id, &l.user, &l.role, &l.expires)
	return l, err
}

func (p *onPostgres) list(ctx context.Context, user string) ([]assistant, error) {
	rows, err := p.pool.Query(ctx, selectList, user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []assistant
	for rows.Next() {
		var a assistant
		if err := rows.Scan(&a.Name, &a.ID, &a.Created); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

func (p *onPostgres) set(ctx context.Context, s session) (a assistant, err error) {
	err = p.pool.QueryRow(ctx, setOnPostgres, s.user, s.project, s.id, s.login.id, s.now, s.expires, s.address, s.agent,
		"user:"+s.user, "project:"+s.project, s.request).Scan(&a.Name, &a.ID, &a.Created)
	return a, err
}

// onSQLite has prepared all of its statements.
type onSQLite struct {
	writes                                   *sql.DB
	whoIs, lists, granted, opens, recordsSet *sql.Stmt
}

// openSQLite opens the file with the settings that the service has.
func openSQLite(ctx context.Context, url string) (*onSQLite, error) {
	const both = "_pragma=temp_store(MEMORY)&_pragma=mmap_size(268435456)&_busy_timeout=5000"
	writes, err := sql.Open("sqlite", sqliteFile(url)+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)&"+both)
	if err != nil {
		return nil, err
	}
	writes.SetMaxOpenConns(1)
	reads, err := sql.Open("sqlite", sqliteFile(url)+"?_pragma=query_only(ON)&"+both)
	if err != nil {
		return nil, err
	}
	reads.SetMaxOpenConns(4)
	reads.SetMaxIdleConns(4)
	s := &onSQLite{writes: writes}
	for _, statement := range []struct {
		prepared **sql.Stmt
		on       *sql.DB
		text     string
	}{
		{&s.whoIs, reads, selectWho},
		{&s.lists, reads, selectList},
		{&s.granted, writes, selectGranted},
		{&s.opens, writes, insertSession + `VALUES ($1, 'assistant', $2, $3, $4, false, true, $5, $5, $6, $6, $7, $8)` + replacing},
		{&s.recordsSet, writes, insertAudit + `VALUES ($1, $2, 'set_project', $3, 'ok', $4, $5)`},
	} {
		if *statement.prepared, err = statement.on.PrepareContext(ctx, statement.text); err != nil { //nolint:sqlclosecheck // kept as long as the process lives
			return nil, err
		}
	}
	return s, nil
}

func (o *onSQLite) who(ctx context.Context, session string, now int64) (l login, err error) {
	err = o.whoIs.QueryRowContext(ctx, session, now).Scan(&l.id, &l.user, &l.role, &l.expires)
	return l, err
}

func (o *onSQLite) list(ctx context.Context, user string) ([]assistant, error) {
	rows, err := o.lists.QueryContext(ctx, user)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []assistant
	for rows.Next() {
		var a assistant
		if err := rows.Scan(&a.Name, &a.ID, &a.Created); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

func (o *onSQLite) set(ctx context.Context, s session) (a assistant, err error) {
	tx, err := o.writes.BeginTx(ctx, nil)
	if err != nil {
		return a, err
	}
	defer func() { _ = tx.Rollback() }()                                                                                            // does nothing after Commit
	if err := tx.StmtContext(ctx, o.granted).QueryRowContext(ctx, s.user, s.project).Scan(&a.Name, &a.ID, &a.Created); err != nil { //nolint:sqlclosecheck // closed with the transaction
		return a, err
	}
	if _, err := tx.StmtContext(ctx, o.opens).ExecContext(ctx, s.id, s.user, s.login.id, s.project, s.now, s.expires, s.address, s.agent); err != nil { //nolint:sqlclosecheck // closed with the transaction
		return a, err
	}
	if _, err := tx.StmtContext(ctx, o.recordsSet).ExecContext(ctx, s.now, "user:"+s.user, "project:"+s.project, s.request, s.address); err != nil { //nolint:sqlclosecheck // closed with the transaction
		return a, err
	}
	return a, tx.Commit()
}
