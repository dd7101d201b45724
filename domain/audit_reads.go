package domain

// AuditReads says which forwarded reads leave rows in the audit. Calls that write always do.
type AuditReads int

// The choices. The zero value is ExportReads.
const (
	ExportReads              AuditReads = iota // reads with the scope export
	ExportAndTranscriptReads                   // reads with the scope export or transcripts
	NoReads
)

// Leaves reports whether a call of the endpoint leaves rows in the audit.
func (r AuditReads) Leaves(e *Endpoint) bool {
	switch {
	case e.Writes:
		return true
	case e.Scope == ScopeExport:
		return r != NoReads
	}
	return e.Scope == ScopeTranscripts && r == ExportAndTranscriptReads
}
