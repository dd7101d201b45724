package domain

import (
	"strings"
)

// The longest JSON body, in bytes.
const (
	// maxJSON is Voiceflow's own limit (github.com/voiceflow/general-runtime, config, 2024).
	maxJSON = 1 << 20
	// maxLargeJSON is Voiceflow's limit of a file
	// (docs.voiceflow.com/api-reference/kbpublicapidocument). None is documented for tables.
	maxLargeJSON = 10 << 20
)

// MaxJSON returns the length of the longest JSON body of the call, in bytes.
func (e *Endpoint) MaxJSON() int64 {
	if e.Large {
		return maxLargeJSON
	}
	return maxJSON
}

// dataMember is the member below which Voiceflow documents what a document is.
const dataMember = "data"

// FormPart says what the part of a form is for.
type FormPart struct {
	// Field is what the part says of the project or the environment. It is "" for any other part.
	Field Field
	// Data tells that the part is a JSON object with members like those below data in a JSON body.
	Data bool
}

// Checked reports whether the part has to be read before the call is sent.
func (p FormPart) Checked() bool { return p.Field != "" || p.Data }

// FormPart returns what the part of a form with the name is for. Voiceflow may read a name with
// brackets or dots as a path. Returns Invalid for a name that is not plain, and for one that might be
// read as that of a field.
func (e *Endpoint) FormPart(name string) (FormPart, error) {
	if name == "" || len(name) > maxID || strings.Trim(name, idCharacters+".[]") != "" {
		return FormPart{}, invalid("in the form, the name of a part must have 1 to 128 letters, digits, _, -, ., [ and ]")
	}
	if name == dataMember {
		return FormPart{Data: true}, nil
	}
	first := firstOfPath(name)
	if first == "" {
		return FormPart{}, ambiguousPart(name)
	}
	for _, m := range e.AllMembers() {
		field := m.At[len(m.At)-1]
		if !m.Is.OfProject() || !strings.EqualFold(first, field) {
			continue
		}
		switch name {
		case field, dataMember + "[" + field + "]", dataMember + "." + field:
			return FormPart{Field: m.Is}, nil
		}
		return FormPart{}, ambiguousPart(name)
	}
	return FormPart{}, nil
}

func ambiguousPart(name string) error {
	return invalid("in the form, the name " + shown(name) + " of a part can be read in several ways; use the name that Voiceflow documents")
}

// firstOfPath returns the first name in a path of brackets and dots that may be that of a field, ""
// if there is none.
func firstOfPath(path string) string {
	for part := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		switch strings.ToLower(part) {
		case dataMember, "__proto__", "constructor", "prototype":
			continue
		}
		if strings.Trim(part, "0123456789") != "" {
			return part
		}
	}
	return ""
}

// AddedToForm returns the names of the parts that a form gets if it has none for their field, with
// these fields.
func (e *Endpoint) AddedToForm() map[string]Field {
	added := map[string]Field{}
	for _, m := range e.Members {
		if m.Is.OfProject() && !m.IfThere {
			added[m.At[len(m.At)-1]] = m.Is
		}
	}
	return added
}
