package voiceflowtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Assistant is an assistant at Voiceflow, in one of its versions. [NewAssistant] returns one. A
// test then changes the fields that it is about.
type Assistant struct {
	// ProjectID and VersionID are 24 hex digits in lower case.
	ProjectID string
	VersionID string
	// Aliases are the names of environments that mean this version. They are not used if there are
	// Environments.
	Aliases []string
	// Environments are the environments of the project, each with a draft and what was published.
	Environments []Environment
	// Name may be any text. It is sent as UTF-8. If EscapeName is set, it is sent in ASCII, with
	// everything else escaped.
	Name       string
	EscapeName bool
	Platform   string
	// NameJSON and PlatformJSON are sent unchanged in place of Name and Platform. They need not
	// be JSON.
	NameJSON     string
	PlatformJSON string
	// Key opens the assistant. It is a plain string because it opens nothing
	// but this stand-in.
	Key string
	// SecondKey also opens the assistant; "" for none. At Voiceflow a secondary key can be live
	// beside the primary one during a rotation
	// (https://docs.voiceflow.com/api-reference/authentication).
	SecondKey string
	// CreatedAt is sent as the project's createdAt. If it is zero, only [Shape2022] has a
	// createdAt: the time in ProjectID.
	CreatedAt time.Time
	Shape     Shape
	// Size is the least size of the export, in bytes. More diagrams fill it up. The export is
	// less than 4 KiB larger.
	Size int64
	// Place is the position of `project` in the export.
	Place Place

	// Dialog makes the assistant a pizza place that is worth talking to, with buttons, cards,
	// pictures and a slow answer. [Words] are the words that it knows. It remembers per user what
	// was ordered. Otherwise the assistant repeats what was said.
	Dialog bool
	// Assets is the origin of the pictures and the audio of a Dialog. If it is "", it is an https
	// origin that does not exist. Every Server serves them below /assets/, so a test whose
	// Server has an https origin can set it here.
	Assets string
	// Traces, if it is not nil, returns the answer to each turn, in place of the Dialog and of all
	// else. action is JSON with a type and, if there is one, a payload. The traces are sent
	// unchanged, so they may be anything, also invalid UTF-8 and no JSON. In a stream, a line break
	// in a trace begins a new line of data. All calls wait for Traces, so it must not block and
	// must not call the Server.
	Traces func(userID string, action json.RawMessage) []json.RawMessage
	// Pace, if it is not nil, decides when the events of a stream are sent: those of the slow answer
	// of a Dialog, and those of Traces. It is called after the header was sent, before each event,
	// the end included, with the number of events sent so far. The event is sent when Pace returns.
	// ctx ends when the client leaves. If Pace is nil, slow traces are 300 ms apart. Streams of
	// several calls may call it at once.
	Pace func(ctx context.Context, n int)
	// NoStream makes the assistant refuse every stream with a 404. The turn is not taken.
	NoStream bool
}

// Shape is the form of Voiceflow's exports in a period.
type Shape int

const (
	// Shape2022 has `project` early, with `createdAt`.
	Shape2022 Shape = iota + 1
	// Shape2024 has `project` after everything large, without `createdAt`. It was current until
	// the summer of 2025, with more and more families of objects.
	Shape2024
	// Shape2026 is the form with environments. `project` has a map of them and no `devVersion`,
	// and there is an `assistant` beside it. Its members are documented, but not their order,
	// which is that of 2024 here
	// (https://docs.voiceflow.com/api-reference/environment/export-environment).
	Shape2026
)

// Shapes returns every Shape, oldest first.
func Shapes() []Shape { return []Shape{Shape2022, Shape2024, Shape2026} }

// String returns the year.
func (s Shape) String() string {
	switch s {
	case Shape2022:
		return "2022"
	case Shape2024:
		return "2024"
	case Shape2026:
		return "2026"
	}
	return fmt.Sprintf("Shape(%d)", int(s))
}

// Place is a position of `project` among the members of an export.
type Place int

const (
	// InPlace leaves `project` at the position of its shape.
	InPlace Place = iota
	// First puts `project` before everything else.
	First
	// Last puts `project` after everything else.
	Last
)

// eras are times of creation of assistants, by shape.
var eras = map[Shape]time.Time{
	Shape2022: time.Date(2022, 11, 14, 4, 53, 8, 0, time.UTC),
	Shape2024: time.Date(2024, 8, 21, 9, 30, 0, 0, time.UTC),
	Shape2026: time.Date(2026, 6, 3, 16, 20, 45, 0, time.UTC),
}

// NewAssistant returns an assistant with ids and a key of its own. Its aliases and platform are
// usual for its shape.
func NewAssistant(name string, shape Shape) Assistant {
	a := Assistant{
		ProjectID: NewID(eras[shape]),
		VersionID: NewID(eras[shape]),
		Aliases:   []string{"development", "production"},
		Name:      name,
		Platform:  "webchat",
		Key:       NewKey(),
		Shape:     shape,
	}
	switch shape {
	case Shape2022:
		a.Platform = "chatbot"
	case Shape2026:
		a.Aliases = []string{"main"}
	}
	return a
}

// NewID returns a random id in the form of Voiceflow's projects and versions. That is a MongoDB
// ObjectId of 24 hex digits. The first eight are the time, in seconds
// (https://www.mongodb.com/docs/manual/reference/bson-types/#objectid).
func NewID(made time.Time) string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // documented never to fail
	return fmt.Sprintf("%08x%s", uint32(made.Unix()), hex.EncodeToString(random))
}

// NewKey returns a random project key: VF.DM., 24 hex digits that name the key, a dot, and a
// secret of 16 letters and digits.
func NewKey() string {
	id := make([]byte, 12)
	_, _ = rand.Read(id) // documented never to fail
	return "VF.DM." + hex.EncodeToString(id) + "." + rand.Text()[:16]
}

var objectID = regexp.MustCompile(`^[0-9a-f]{24}$`)

// keys returns the keys that open a.
func (a Assistant) keys() []string {
	if a.SecondKey == "" || a.SecondKey == a.Key {
		return []string{a.Key}
	}
	return []string{a.Key, a.SecondKey}
}

func (a Assistant) check() error {
	switch {
	case !objectID.MatchString(a.ProjectID):
		return errors.New("voiceflowtest: ProjectID is not 24 hex digits in lower case")
	case !objectID.MatchString(a.VersionID):
		return errors.New("voiceflowtest: VersionID is not 24 hex digits in lower case")
	case slices.ContainsFunc(a.Environments, func(e Environment) bool {
		return e.Alias == "" || objectID.MatchString(e.Alias) || !objectID.MatchString(e.ID) || !objectID.MatchString(e.Draft)
	}):
		return errors.New("voiceflowtest: an environment needs an alias, an id and the version id of a draft")
	case strings.TrimSpace(a.Key) == "":
		return errors.New("voiceflowtest: Key is empty")
	case members[a.Shape] == nil:
		return fmt.Errorf("voiceflowtest: %v is not one of Shapes", a.Shape)
	}
	return nil
}
