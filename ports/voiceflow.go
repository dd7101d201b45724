package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Voiceflow speaks to Voiceflow with a project's key.
type Voiceflow interface {
	// Origin is where a key given to this client is sent to, and nowhere else. It does
	// no I/O and never changes.
	Origin() domain.Origin

	// Export fetches the export of a version and returns what is kept of it. It reads
	// the answer to its end: one that is cut, goes on for too long or is no well-formed
	// export is VoiceflowUnavailable, as are no answer within the client's time, the
	// statuses 408 and 429, and every 3xx and 5xx; RetryAfter is set where Voiceflow
	// said when to come back. Any other 4xx is VoiceflowRejected. Redirects are not
	// followed. Name and Platform are valid UTF-8 without NUL: U+FFFD stands where
	// Voiceflow's text was not. No error holds the key or anything of the answer's body.
	Export(ctx context.Context, v domain.VersionRef, key domain.Secret) (domain.Export, error)
}
