// Package importlist reads lists of assistants that are to be added, as CSV or JSON.
package importlist

import (
	"io"

	"github.com/flowlatch/flowlatch/domain"
)

// Entry is an assistant to add.
type Entry struct {
	// Place says where in its file the entry is.
	Place string
	// Version is the environment of the assistant: the id of a version, or an alias.
	Version string
	// VoiceflowProject is the project id at Voiceflow. It is "" if the list does not have it.
	VoiceflowProject string
	// Name is the name that the assistant must have at Voiceflow. It is "" if any will do.
	Name string
	// Key is the key in the primary slot.
	Key domain.Secret
	// Secondary is the key in the secondary slot. It is zero if the entry does not have one.
	Secondary domain.Secret
	// Personal is the key in the personal slot. It is zero if the entry does not have one.
	Personal domain.Secret
	// Environments are those that calls can use. It is nil if the assistant is to be pinned to
	// Version.
	Environments *domain.EnvironmentsSpec
	// PictureOrigins are those from which the chat page may show pictures. A list has none; only the
	// file of an export has them.
	PictureOrigins []string
	// Err says why the entry can't be read. It repeats nothing of the file, because any part
	// of the file may be a key.
	Err error
}

// Reader reads a list to its end and calls each for one entry after the other. If each
// returns an error, the Reader returns that error at once. It returns other errors if the
// rest of the list can't be read. Those repeat nothing of the file.
type Reader func(r io.Reader, each func(Entry) error) error
