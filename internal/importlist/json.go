package importlist

import (
	"fmt"
	"io"

	encoding "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/jsonstream"
)

// ReadJSON returns a Reader of one JSON array of objects. Their members are named as the columns
// of CSV are. Only environments is an object, in the form of domain.EnvironmentsSpec, and allow_draft is
// in it. The text is UTF-8, or UTF-16 with a byte order mark.
func ReadJSON(r io.Reader, each func(Entry) error) error {
	values := jsonstream.NewReader(transform.NewReader(r, encoding.BOMOverride(transform.Nop)))
	if err := values.BeginArray(); err != nil {
		return err
	}
	for number := 1; values.More(); number++ {
		value, err := values.Next()
		if err != nil {
			return err
		}
		var e struct {
			Version   string        `json:"version_id"`
			Token     domain.Secret `json:"token"`
			Name      string        `json:"name"`
			Voiceflow string        `json:"voiceflow_project_id"`

			Environments *domain.EnvironmentsSpec `json:"environments"`
		}
		entry := Entry{Place: fmt.Sprintf("line %d (element %d)", values.Line(), number)}
		if entry.Err = jsonstream.DecodeObject(value, &e); entry.Err == nil {
			entry.Version, entry.Key, entry.Name, entry.VoiceflowProject = e.Version, e.Token, e.Name, e.Voiceflow
			entry.Environments = e.Environments
		}
		if err := each(entry); err != nil {
			return err
		}
	}
	return values.EndArray()
}
