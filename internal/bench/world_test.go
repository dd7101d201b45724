package bench

import (
	"crypto/rand"
	"fmt"
	random "math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/domain"
)

const (
	members      = 2_000
	granted      = 20
	setsOfMember = 4 // how many of the granted are set in turns
)

// Each server has logins of its own, so that the assistant that one of them sets is not
// in the way of the other.
const (
	serviceLogins = iota
	referenceLogins
)

// lifetimes are those that the service has by default.
var lifetimes = domain.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour, Remember: 720 * time.Hour}

// keys is the keyset of the service, with which its cookies are made.
type keys struct {
	file   string
	cipher *tinkcipher.Cipher
	codec  *cookie.Codec
}

func newKeys(b *testing.B) keys {
	k := keys{file: filepath.Join(b.TempDir(), "keyset.json")}
	text, err := tinkcipher.Generate(nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := tinkcipher.WriteFile(k.file, text); err != nil {
		b.Fatal(err)
	}
	k.cipher = tinkcipher.NewFile(k.file, tinkcipher.FileOptions{Named: true})
	if err := k.cipher.Prepare(b.Context(), false); err != nil {
		b.Fatal(err)
	}
	k.codec = cookie.New(k.cipher)
	return k
}

// member is a user who is logged in at both servers.
type member struct {
	user    domain.User
	granted []domain.Project
	logins  [2]domain.Session
	cookie  string // user_session of the service
}

// world is what a database holds.
type world struct {
	projects []domain.Project
	sealed   []domain.Sealed
	members  []member
	admin    member
}

// newWorld makes a world of that many projects. Logins are remembered ones: the use of
// any other is written once a minute, which 16 connections that walk through all users
// would make look more frequent than it is.
func newWorld(b *testing.B, projects int, in installation) *world {
	now, k := time.Now(), in.keys
	w := &world{projects: make([]domain.Project, projects), sealed: make([]domain.Sealed, projects)}
	origin, err := domain.ParseOrigin(in.upstream)
	check := func() {
		if err != nil {
			b.Fatal(err)
		}
	}
	check()
	for i := range w.projects {
		p := domain.Project{
			Name: fmt.Sprintf("Assistant %06d of the team", i), Voiceflow: domain.VoiceflowID(fmt.Sprintf("%024x", i)),
			Version: "production", Platform: "webchat", Created: domain.Instant(now), VoiceflowCreated: domain.Instant(now),
		}
		p.ID, err = domain.NewProjectID(now, rand.Reader)
		check()
		w.projects[i] = p
		w.sealed[i], err = k.cipher.Seal(domain.NewSecret(voiceflowtest.NewKey()), domain.BindKey(p.ID, domain.SlotPrimary, origin))
		check()
	}
	pick := random.New(random.NewPCG(1, 1))
	makeMember := func(name string, role domain.Role, granted []domain.Project) member {
		id, err := domain.NewUserID(now, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		m := member{user: domain.NewUser(id, domain.Username(name), role, domain.NewSecret("none"), nil, now), granted: granted}
		for i := range m.logins {
			id, err := domain.NewSessionID(now, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			m.logins[i] = domain.NewLogin(id, m.user.ID, true, now, lifetimes, "127.0.0.1", "bench")
		}
		if m.cookie, _, err = k.codec.Seal(m.logins[serviceLogins].Claims("")); err != nil {
			b.Fatal(err)
		}
		return m
	}
	for i := range members {
		chosen := make([]domain.Project, 0, granted)
		for taken := map[int]bool{}; len(chosen) < granted; {
			if n := pick.IntN(projects); !taken[n] {
				taken[n] = true
				chosen = append(chosen, w.projects[n])
			}
		}
		w.members = append(w.members, makeMember("member"+strconv.Itoa(i), domain.RoleMember, chosen))
	}
	w.admin = makeMember("admin", domain.RoleAdmin, nil)
	return w
}

// rows is what a table of the schema holds.
type rows struct {
	table   string
	columns []string
	values  [][]any
}

// rows returns the world as it is stored, in an order that foreign keys allow.
func (w *world) rows() []rows {
	projects := rows{table: "projects", columns: []string{"id", "name", "voiceflow_id", "version", "platform", "created", "voiceflow_created"}}
	keys := rows{table: "project_keys", columns: []string{"project_id", "slot", "key_id", "sealed"}}
	for i, p := range w.projects {
		projects.values = append(projects.values, []any{string(p.ID), p.Name, string(p.Voiceflow), p.Version, p.Platform,
			p.Created.UnixMicro(), p.VoiceflowCreated.UnixMicro()})
		keys.values = append(keys.values, []any{string(p.ID), string(domain.SlotPrimary), string(w.sealed[i].Key), w.sealed[i].Bytes})
	}
	users := rows{table: "users", columns: []string{"id", "name", "role", "disabled", "password_hash", "created"}}
	grants := rows{table: "grants", columns: []string{"user_id", "project_id", "name", "created"}}
	sessions := rows{table: "sessions", columns: []string{"id", "kind", "user_id", "by_role", "remember",
		"created", "last_used", "idle", "expires", "address", "agent"}}
	for _, m := range append([]member{w.admin}, w.members...) {
		u := m.user
		users.values = append(users.values, []any{string(u.ID), string(u.Name), string(u.Role), false, u.PasswordHash.Reveal(), u.Created.UnixMicro()})
		for _, p := range m.granted {
			grants.values = append(grants.values, []any{string(u.ID), string(p.ID), p.Name, u.Created.UnixMicro()})
		}
		for _, s := range m.logins {
			sessions.values = append(sessions.values, []any{string(s.ID), string(s.Kind), string(s.User), false, s.Remember,
				s.Created.UnixMicro(), s.LastUsed.UnixMicro(), s.Idle.UnixMicro(), s.Expires.UnixMicro(), s.Address, s.Agent})
		}
	}
	return []rows{projects, keys, users, grants, sessions}
}

// cookieHeader is the header Cookie of a member's request.
func (m *member) cookieHeader(logins int) string {
	if logins == serviceLogins {
		return "Cookie: user_session=" + m.cookie
	}
	return "Cookie: session=" + string(m.logins[referenceLogins].ID)
}

// gets are GET /get_projects, one for each member.
func (w *world) gets(addr string, logins int) []request {
	all := make([]request, len(w.members))
	for i := range w.members {
		all[i] = newRequest(addr, "GET", "/get_projects", w.members[i].cookieHeader(logins), "")
	}
	return all
}

// lists are the same to the reference without a session.
func (w *world) lists(addr string) []request {
	all := make([]request, len(w.members))
	for i := range w.members {
		all[i] = newRequest(addr, "GET", "/list?user="+string(w.members[i].user.ID), "", "")
	}
	return all
}

// sets are POST /set_project: all members one after the other, then all of them with
// another of their assistants.
func (w *world) sets(addr string, logins int) []request {
	var all []request
	for n := range setsOfMember {
		for i := range w.members {
			m := &w.members[i]
			all = append(all, newRequest(addr, "POST", "/set_project", m.cookieHeader(logins),
				fmt.Sprintf(`{"project_id":%q}`, m.granted[n*granted/setsOfMember].ID)))
		}
	}
	return all
}

// add is the admin's POST /add_project.
func (w *world) add(addr string, a voiceflowtest.Assistant) request {
	return newRequest(addr, "POST", "/add_project", w.admin.cookieHeader(serviceLogins),
		fmt.Sprintf(`{"version_id":%q,"token":%q}`, a.VersionID, a.Key))
}
