package domain

// The sources of the allow-list. Each Endpoint cites one.
const (
	// specCLI is the specification of /v1/stable in Voiceflow's command line (August 2026). It
	// documents personal access tokens only. A project key was seen to open transcript/search.
	specCLI = "github.com/voiceflow/cli .speakeasy/out.openapi.yaml"
	// specRuntime is the specification in the source of the runtime (2024).
	specRuntime = "github.com/voiceflow/general-runtime backend/docs/openapi.yaml"
	// reference is Voiceflow's API reference (2026).
	reference = "docs.voiceflow.com/api-reference/"
	// olderReference has Voiceflow's older OpenAPI files and pages (March 2026).
	olderReference = "github.com/voiceflow/voiceflow-docs reference/"

	specDialog      = olderReference + "voiceflow-dialog-management-api.json"
	specBetaStream  = olderReference + "streaming-runtime-api.json"
	specProject     = olderReference + "project-api.json"
	specAnalytics   = olderReference + "analytics-api.json"
	specUsage       = olderReference + "analytics-api-usage-v2.json"
	specDocuments   = olderReference + "knowledge-base-apis.json"
	specTags        = olderReference + "knowledge-base-tags.json"
	pagesDocuments  = olderReference + "Knowledge Base API/api-reference-5"
	pagesDocumentsA = olderReference + "Knowledge Base - URL Management" // v3alpha
	pageTags        = olderReference + "Transcripts API, Create Transcript Tag"
)

// endpoints is the allow-list: every call that is forwarded to Voiceflow, by scope and
// generation. No other call is forwarded. docs/endpoints.md says what is left out, and why.
//
// A call is Unconfirmed if no source says that a project key opens it.
var endpoints = []Endpoint{
	// converse, legacy
	{Service: ServiceRuntime, Method: "POST", Path: "/state/user/{userID}/interact", Scope: ScopeConverse, Source: specDialog,
		Does: "a turn", VersionHeader: true, Query: legacyTurn, Headers: legacyHeaders, Body: JSONBody, Turn: true},
	{Service: ServiceRuntime, Method: "GET", Path: "/state/user/{userID}", Scope: ScopeConverse, Source: specDialog,
		Does: "the state of a conversation", VersionHeader: true},
	{Service: ServiceRuntime, Method: "PUT", Path: "/state/user/{userID}", Scope: ScopeState, Source: specDialog,
		Does: "set the state", VersionHeader: true, Body: JSONBody, Writes: true},
	{Service: ServiceRuntime, Method: "DELETE", Path: "/state/user/{userID}", Scope: ScopeConverse, Source: specDialog,
		Does: "delete the state", VersionHeader: true, Writes: true},
	{Service: ServiceRuntime, Method: "PATCH", Path: "/state/user/{userID}/variables", Scope: ScopeState, Source: specDialog,
		Does: "set variables of the state", VersionHeader: true, Body: JSONBody, Writes: true},
	// The same, with the version in the path. The runtime reads the header first
	// (github.com/voiceflow/general-runtime, lib/middlewares/project.ts).
	{Service: ServiceRuntime, Method: "POST", Path: "/state/{versionID}/user/{userID}/interact", Scope: ScopeConverse, Source: specRuntime,
		Does: "a turn", VersionHeader: true, Query: legacyTurn, Headers: legacyHeaders, Body: JSONBody, Turn: true},
	{Service: ServiceRuntime, Method: "GET", Path: "/state/{versionID}/user/{userID}", Scope: ScopeConverse, Source: specRuntime,
		Does: "the state of a conversation", VersionHeader: true},
	{Service: ServiceRuntime, Method: "PUT", Path: "/state/{versionID}/user/{userID}", Scope: ScopeState, Source: specRuntime,
		Does: "set the state", VersionHeader: true, Body: JSONBody, Writes: true},
	{Service: ServiceRuntime, Method: "DELETE", Path: "/state/{versionID}/user/{userID}", Scope: ScopeConverse, Source: specRuntime,
		Does: "delete the state", VersionHeader: true, Writes: true},
	{Service: ServiceRuntime, Method: "PATCH", Path: "/state/{versionID}/user/{userID}/variables", Scope: ScopeState, Source: specRuntime,
		Does: "set variables of the state", VersionHeader: true, Body: JSONBody, Writes: true},
	// Stateless: the body has the state, and Voiceflow keeps nothing.
	{Service: ServiceRuntime, Method: "POST", Path: "/interact/{versionID}", Scope: ScopeConverse, Also: ScopeState, Source: specRuntime,
		Does: "a turn from a state that the caller keeps", VersionHeader: true, Query: legacyTurn, Headers: legacyHeaders,
		Body: JSONBody, Turn: true, Stateless: true},
	{Service: ServiceRuntime, Method: "GET", Path: "/interact/{versionID}/state", Scope: ScopeConverse, Source: specRuntime,
		Does: "the state in which a conversation begins", VersionHeader: true, Stateless: true},
	// converse, streams
	{Service: ServiceRuntime, Method: "POST", Path: "/v2/project/{projectID}/user/{userID}/interact/stream", Scope: ScopeConverse, Source: reference + "conversation/interact--legacy-stream",
		Does:  "a turn, streamed",
		Query: []string{"completion_events", "state", "audio_events", "audio_encoding", "modality", "userTimezone"},
		Ours:  []Field{FieldEnvironment, FieldVariant}, Body: JSONBody, Members: []Member{{At: []string{"sessionID"}, Is: FieldSession}}, Turn: true},
	{Service: ServiceRuntime, Method: "POST", Path: "/v2beta1/interact/{projectID}/{versionID}/stream", Scope: ScopeConverse, Source: specBetaStream,
		Does: "a turn, streamed", Body: JSONBody, Turn: true, Members: []Member{
			{At: []string{"session", "userID"}, Is: FieldUser, Must: true}, {At: []string{"session", "sessionID"}, Is: FieldSession, Must: true}}},

	// converse, v4
	{Service: ServiceRuntime, Method: "POST", Path: "/v4/project/{projectID}/session", Scope: ScopeConverse, Source: reference + "session/start-session-with-traffic-split",
		Does: "open a v4 session", Body: JSONBody, Members: []Member{{At: []string{"userID"}, Is: FieldUser, Must: true}},
		Starts: true},
	{Service: ServiceRuntime, Method: "POST", Path: "/v4/project/{projectID}/environment/{environmentAlias}/session", Scope: ScopeConverse, Source: reference + "session/start-session-specific-environment",
		Does: "open a v4 session in the project's environment", Body: JSONBody,
		Members: []Member{{At: []string{"userID"}, Is: FieldUser, Must: true}}, Starts: true},
	{Service: ServiceRuntime, Method: "POST", Path: "/v4/interact", Scope: ScopeConverse, Source: reference + "v4interact/interact-non-stream",
		Does: "a turn in a v4 session", Body: JSONBody, Turn: true, BySession: true},
	{Service: ServiceRuntime, Method: "POST", Path: "/v4/interact/stream", Scope: ScopeConverse, Source: reference + "v4interact/interact-stream",
		Does: "a turn in a v4 session, streamed", Body: JSONBody, Turn: true, BySession: true},

	// converse, /v1/stable
	{Service: ServiceRealtime, Method: "PUT", Path: "/v1/stable/conversation/{userID}", Scope: ScopeConverse, Source: specCLI,
		Does: "a turn", Ours: []Field{FieldProject, FieldAlias}, Body: JSONBody,
		Members: []Member{{At: []string{"version"}, Is: FieldStage}, {At: []string{"sessionID"}, Is: FieldSession}}, Turn: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/conversation-state/{userID}", Scope: ScopeConverse, Source: specCLI,
		Does: "the state of a conversation", Ours: []Field{FieldProject, FieldAlias, FieldStage}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1/stable/conversation-state/{userID}", Scope: ScopeState, Source: specCLI,
		Does: "change the state", Ours: []Field{FieldProject, FieldAlias, FieldStage}, Body: JSONBody, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "DELETE", Path: "/v1/stable/conversation-state/{userID}", Scope: ScopeConverse, Source: specCLI,
		Does: "delete the state", Ours: []Field{FieldProject, FieldAlias, FieldStage}, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1/stable/conversation-state/{userID}/variables", Scope: ScopeState, Source: specCLI,
		Does: "set variables of the state", Ours: []Field{FieldProject, FieldAlias, FieldStage}, Body: JSONBody, Writes: true, Unconfirmed: true},

	// A bot saves its own conversation.
	{Service: ServiceAPI, Method: "PUT", Path: "/v2/transcripts", Scope: ScopeConverse, Source: specProject,
		Does: "save one's own conversation as a transcript", Body: JSONBody,
		Members: []Member{{At: []string{"projectID"}, Is: FieldProject}, {At: []string{"versionID"}, Is: FieldVersion}, {At: []string{"sessionID"}, Is: FieldSession, Must: true},
			{At: []string{"data", "projectID"}, Is: FieldProject, IfThere: true}, {At: []string{"data", "sessionID"}, Is: FieldSession, IfThere: true}},
		Writes: true, Retired: true},

	// transcripts, legacy
	{Service: ServiceAPI, Method: "GET", Path: "/v2/transcripts/{projectID}", Scope: ScopeTranscripts, Source: specProject,
		Does: "list transcripts", Query: []string{"tag", "range", "startDate", "endDate"}},
	{Service: ServiceAPI, Method: "GET", Path: "/v2/transcripts/{projectID}/hasUnreadTranscripts", Scope: ScopeTranscripts, Source: specProject,
		Does: "whether there are unread transcripts"},
	{Service: ServiceAPI, Method: "GET", Path: "/v2/transcripts/{projectID}/{transcriptID}", Scope: ScopeTranscripts, Source: specProject,
		Does: "the turns of a transcript", Query: []string{"limit", "offset"}},
	{Service: ServiceAPI, Method: "GET", Path: "/v2/transcripts/{projectID}/{transcriptID}/export", Scope: ScopeTranscripts, Source: specProject,
		Does: "a transcript as a file", Query: []string{"format"}},
	{Service: ServiceAPI, Method: "PATCH", Path: "/v2/transcripts/{projectID}/{transcriptID}", Scope: ScopeTranscripts, Source: specProject,
		Does: "mark a transcript", Body: JSONBody, Members: transcriptMembers, Writes: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v2/transcripts/{projectID}/{transcriptID}/report_tag/{tagID}", Scope: ScopeTranscripts, Source: specProject,
		Does: "tag a transcript", Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "DELETE", Path: "/v2/transcripts/{projectID}/{transcriptID}/report_tag/{tagID}", Scope: ScopeTranscripts, Source: specProject,
		Does: "untag a transcript", Writes: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v2/transcripts/{projectID}/{transcriptID}/annotation/utteranceAddedTo", Scope: ScopeTranscripts, Source: specProject,
		Does: "annotate a transcript", Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "GET", Path: "/v2/projects/{projectID}/tags", Scope: ScopeTranscripts, Source: pageTags,
		Does: "list tags of transcripts"},
	{Service: ServiceAPI, Method: "PUT", Path: "/v2/projects/{projectID}/tags", Scope: ScopeTranscripts, Source: pageTags,
		Does: "add a tag for transcripts", Body: JSONBody, Writes: true},
	// transcripts, analytics
	{Service: ServiceAnalytics, Method: "POST", Path: "/v1/transcript/project/{projectID}", Scope: ScopeTranscripts, Source: reference + "transcript/search-transcripts",
		Does: "search transcripts", Query: []string{"take", "skip", "order"}, Body: JSONBody, Filters: true,
		Members: []Member{{At: []string{"projectEnvironmentIDOrAlias"}, Is: FieldEnvironmentRef}, {At: []string{"versionID"}, Is: FieldVersionID},
			{At: []string{"environmentID"}, Is: FieldVersionID, IfThere: true}}}, // its older name
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript/{transcriptID}", Scope: ScopeTranscripts, Source: reference + "transcript/get-transcript",
		Does: "a transcript with its turns", Query: []string{"filterConversation", "customTraceTypes", "customTraceTypes[]", "encode"}},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-property/project/{projectID}", Scope: ScopeTranscripts, Source: reference + "transcript-property",
		Does: "list properties of transcripts"},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-property/{propertyID}", Scope: ScopeTranscripts, Source: reference + "transcript-property",
		Does: "a property"},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-property-value/transcript/{transcriptID}", Scope: ScopeTranscripts, Source: reference + "transcript-property-value",
		Does: "the properties that a transcript has"},
	{Service: ServiceAnalytics, Method: "POST", Path: "/v1/transcript-property-value", Scope: ScopeTranscripts, Source: reference + "transcript-property-value",
		Does: "give a transcript a property", Body: JSONBody, Writes: true},
	// transcripts, /v1/stable
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/transcript/search", Scope: ScopeTranscripts, Source: specCLI,
		Does: "search transcripts", Ours: []Field{FieldProject}, Body: JSONBody, Filters: true, Members: filterMembers},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/transcript/{transcriptID}", Scope: ScopeTranscripts, Source: specCLI,
		Does: "a transcript with its turns", Ours: []Field{FieldProject}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/transcript-property", Scope: ScopeTranscripts, Source: specCLI,
		Does: "list properties of transcripts", Ours: []Field{FieldProject}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/transcript-property/{propertyID}", Scope: ScopeTranscripts, Source: specCLI,
		Does: "a property", Ours: []Field{FieldProject}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "PUT", Path: "/v1/stable/transcript-property/{propertyID}/value", Scope: ScopeTranscripts, Source: specCLI,
		Does: "give a transcript a property", Ours: []Field{FieldProject}, Body: JSONBody, Writes: true, Unconfirmed: true},

	// transcripts:delete
	{Service: ServiceAPI, Method: "DELETE", Path: "/v2/transcripts/{projectID}/{transcriptID}", Scope: ScopeTranscriptsDelete, Source: specProject,
		Does: "delete a transcript", Writes: true},
	{Service: ServiceAnalytics, Method: "DELETE", Path: "/v1/transcript/{transcriptID}", Scope: ScopeTranscriptsDelete, Source: reference + "transcript/delete-transcript",
		Does: "delete a transcript", Writes: true},
	{Service: ServiceAnalytics, Method: "DELETE", Path: "/v1/transcript-property-value/transcript/{transcriptID}/property/{propertyID}", Scope: ScopeTranscriptsDelete, Source: reference + "transcript-property-value",
		Does: "take a property from a transcript", Writes: true},

	// analytics
	{Service: ServiceAnalytics, Method: "POST", Path: "/v1/query/usage", Scope: ScopeAnalytics, Source: specAnalytics,
		Does: "usage", Body: JSONBody, Members: []Member{{At: []string{"query", "[]", "filter", "projectID"}, Is: FieldProject, Must: true}}},
	{Service: ServiceAnalytics, Method: "POST", Path: "/v2/query/usage", Scope: ScopeAnalytics, Source: reference + "usage/query-usage",
		Does: "usage", Body: JSONBody, Filters: true, Members: []Member{
			{At: []string{"data", "filter", "projectID"}, Is: FieldProject, Must: true},
			{At: []string{"data", "filter", "projectEnvironmentIDOrAlias"}, Is: FieldEnvironmentRef}}},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-evaluation/project/{projectID}", Scope: ScopeAnalytics, Source: specAnalytics,
		Does: "list evaluations"},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-evaluation/{evaluationID}", Scope: ScopeAnalytics, Source: specAnalytics,
		Does: "an evaluation"},
	// analytics, /v1/stable
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/analytics/query/{metric}/project/{projectID}", Scope: ScopeAnalytics, Source: specCLI,
		Does: "a metric over time", Body: JSONBody, Filters: true, Members: filterMembers, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/evaluation", Scope: ScopeAnalytics, Source: specCLI,
		Does: "list evaluations", Ours: []Field{FieldProject}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/evaluation/{evaluationID}", Scope: ScopeAnalytics, Source: specCLI,
		Does: "an evaluation", Ours: []Field{FieldProject}, Unconfirmed: true},

	// knowledge
	{Service: ServiceRuntime, Method: "POST", Path: "/knowledge-base/query", Scope: ScopeKnowledge, Source: reference + "public-docs/query",
		Does: "ask the knowledge base", Optional: true, Body: JSONBody, Members: []Member{
			{At: []string{"projectID"}, Is: FieldProject},
			{At: []string{"projectEnvironmentIDOrAlias"}, Is: FieldEnvironmentRef}, {At: []string{"versionVariant"}, Is: FieldStage}}},
	{Service: ServiceAPI, Method: "GET", Path: "/v1/knowledge-base/docs", Scope: ScopeKnowledge, Source: specDocuments,
		Does: "list documents", Query: documentList},
	{Service: ServiceAPI, Method: "GET", Path: "/v1/knowledge-base/docs/{documentID}", Scope: ScopeKnowledge, Source: specDocuments,
		Does: "a document with its chunks"},
	{Service: ServiceAPI, Method: "GET", Path: "/v3alpha/knowledge-base/docs", Scope: ScopeKnowledge, Source: pagesDocumentsA,
		Does: "list documents", Query: documentList, Unconfirmed: true},
	{Service: ServiceAPI, Method: "GET", Path: "/v3alpha/knowledge-base/docs/{documentID}", Scope: ScopeKnowledge, Source: pagesDocumentsA,
		Does: "a document with its chunks", Unconfirmed: true},
	{Service: ServiceAPI, Method: "GET", Path: "/v3alpha/knowledge-base/tags", Scope: ScopeKnowledge, Source: specTags,
		Does: "list tags", Query: []string{"page", "limit"}},
	{Service: ServiceAPI, Method: "GET", Path: "/v3alpha/knowledge-base/tags/{tagID}", Scope: ScopeKnowledge, Source: specTags,
		Does: "a tag"},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/public/knowledge-base/document", Scope: ScopeKnowledge, Source: reference + "kbpublicapidocument",
		Does: "list documents", Query: documentList, Ours: []Field{FieldEnvironmentRef}, Optional: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/public/knowledge-base/document/{documentID}", Scope: ScopeKnowledge, Source: reference + "kbpublicapidocument",
		Does: "a document with its chunks", Ours: []Field{FieldEnvironmentRef}, Optional: true},
	// knowledge, /v1/stable
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/knowledge-base/query", Scope: ScopeKnowledge, Source: specCLI,
		Does: "ask the knowledge base", Ours: []Field{FieldProject, FieldAlias}, Body: JSONBody,
		Members: []Member{{At: []string{"version"}, Is: FieldStage}}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/document", Scope: ScopeKnowledge, Source: specCLI,
		Does: "list documents", Ours: []Field{FieldProject, FieldAlias}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/document/{documentID}", Scope: ScopeKnowledge, Source: specCLI,
		Does: "a document with its chunks", Ours: []Field{FieldProject, FieldAlias}, Unconfirmed: true},

	// knowledge:write
	{Service: ServiceAPI, Method: "POST", Path: "/v1/knowledge-base/docs/upload", Scope: ScopeKnowledgeWrite, Source: specDocuments,
		Does: "add a document from a file", Query: documentUpload, Body: FormBody, Large: true, Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v1/knowledge-base/docs/upload/url", Scope: ScopeKnowledgeWrite, Source: specDocuments,
		Does: "add a document from a URL", Query: documentUpload, Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v1/knowledge-base/docs/upload/table", Scope: ScopeKnowledgeWrite, Source: specDocuments,
		Does: "add a table", Query: documentUpload, Body: FormBody, Large: true, Writes: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v1/knowledge-base/docs/{documentID}/upload", Scope: ScopeKnowledgeWrite, Source: specDocuments,
		Does: "replace a document from a file", Query: documentUpload, Body: FormBody, Large: true, Writes: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v1/knowledge-base/docs/{documentID}/upload/url", Scope: ScopeKnowledgeWrite, Source: specDocuments,
		Does: "replace a document from a URL", Query: documentUpload, Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "DELETE", Path: "/v1/knowledge-base/docs/{documentID}", Scope: ScopeKnowledgeWrite, Source: specDocuments,
		Does: "delete a document", Writes: true},
	{Service: ServiceAPI, Method: "PATCH", Path: "/v1/knowledge-base/docs/{documentID}", Scope: ScopeKnowledgeWrite, Source: pagesDocuments,
		Does: "change a document", Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "PATCH", Path: "/v1/knowledge-base/docs/{documentID}/chunk/{chunkID}", Scope: ScopeKnowledgeWrite, Source: pagesDocuments,
		Does: "change a chunk", Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/docs/upload", Scope: ScopeKnowledgeWrite, Source: pagesDocumentsA,
		Does: "add a document from a file or a URL", Query: documentUpload, Body: FormBody, Large: true, Writes: true, Unconfirmed: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/docs/upload/url", Scope: ScopeKnowledgeWrite, Source: pagesDocumentsA,
		Does: "add a document from a URL", Query: documentUpload, Body: JSONBody, Writes: true, Unconfirmed: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/docs/upload/table", Scope: ScopeKnowledgeWrite, Source: pagesDocumentsA,
		Does: "add a table", Query: documentUpload, Body: FormBody, Large: true, Writes: true, Unconfirmed: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v3alpha/knowledge-base/docs/{documentID}/upload", Scope: ScopeKnowledgeWrite, Source: pagesDocumentsA,
		Does: "replace a document", Query: documentUpload, Body: FormBody, Large: true, Writes: true, Unconfirmed: true},
	{Service: ServiceAPI, Method: "DELETE", Path: "/v3alpha/knowledge-base/docs/{documentID}", Scope: ScopeKnowledgeWrite, Source: pagesDocumentsA,
		Does: "delete a document", Writes: true, Unconfirmed: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/tags", Scope: ScopeKnowledgeWrite, Source: specTags,
		Does: "add a tag", Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "PATCH", Path: "/v3alpha/knowledge-base/tags/{tagID}", Scope: ScopeKnowledgeWrite, Source: specTags,
		Does: "change a tag", Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "DELETE", Path: "/v3alpha/knowledge-base/tags/{tagID}", Scope: ScopeKnowledgeWrite, Source: specTags,
		Does: "delete a tag", Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/docs/{documentID}/tags/attach", Scope: ScopeKnowledgeWrite, Source: specTags,
		Does: "tag a document", Body: JSONBody, Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/docs/{documentID}/tags/detach", Scope: ScopeKnowledgeWrite, Source: specTags,
		Does: "untag a document", Body: JSONBody, Writes: true},
	{Service: ServiceRealtime, Method: "POST", Path: "/v1alpha1/public/knowledge-base/document", Scope: ScopeKnowledgeWrite, Source: reference + "kbpublicapidocument",
		Does: "add a document", Query: documentUpload, Optional: true, Body: FormBody, Members: documentMembers, Large: true, Writes: true},
	{Service: ServiceRealtime, Method: "POST", Path: "/v1alpha1/public/knowledge-base/document/upload/table", Scope: ScopeKnowledgeWrite, Source: reference + "kbpublicapidocument",
		Does: "add a table", Query: documentUpload, Optional: true, Body: FormBody, Members: documentMembers, Large: true, Writes: true},
	{Service: ServiceRealtime, Method: "PUT", Path: "/v1alpha1/public/knowledge-base/document/{documentID}", Scope: ScopeKnowledgeWrite, Source: reference + "kbpublicapidocument",
		Does: "replace a document", Query: documentUpload, Optional: true, Body: FormBody, Members: documentMembers, Large: true, Writes: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1alpha1/public/knowledge-base/document/{documentID}", Scope: ScopeKnowledgeWrite, Source: reference + "kbpublicapidocument",
		Does: "change a document", Optional: true, Body: JSONBody,
		Members: documentMembers, Writes: true},
	{Service: ServiceRealtime, Method: "DELETE", Path: "/v1alpha1/public/knowledge-base/document/{documentID}", Scope: ScopeKnowledgeWrite, Source: reference + "kbpublicapidocument",
		Does: "delete a document", Ours: []Field{FieldEnvironmentRef}, Optional: true, Writes: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1alpha1/public/knowledge-base/document/{documentID}/chunk/{chunkID}", Scope: ScopeKnowledgeWrite, Source: reference + "kbpublicapidocument",
		Does: "change a chunk", Body: JSONBody, Writes: true},
	// knowledge:write, /v1/stable
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/document/url", Scope: ScopeKnowledgeWrite, Source: specCLI,
		Does: "add a document from a URL", Query: documentUpload, Ours: []Field{FieldProject, FieldAlias}, Body: JSONBody, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/document/text", Scope: ScopeKnowledgeWrite, Source: specCLI,
		Does: "add a document from a file", Query: documentUpload, Ours: []Field{FieldProject, FieldAlias}, Body: FormBody, Large: true, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/document/table", Scope: ScopeKnowledgeWrite, Source: specCLI,
		Does: "add a table", Query: documentUpload, Ours: []Field{FieldProject, FieldAlias}, Body: FormBody, Large: true, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1/stable/document/{documentID}", Scope: ScopeKnowledgeWrite, Source: specCLI,
		Does: "change a document", Ours: []Field{FieldProject, FieldAlias}, Body: JSONBody, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "DELETE", Path: "/v1/stable/document/{documentID}", Scope: ScopeKnowledgeWrite, Source: specCLI,
		Does: "delete a document", Ours: []Field{FieldProject, FieldAlias}, Writes: true, Unconfirmed: true},

	// projects
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/project/{projectID}/environments", Scope: ScopeProjects, Source: reference + "environmentpublicapi/list-environments",
		Does: "list environments"},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/project/{projectID}/environment/traffic", Scope: ScopeProjects, Source: reference + "environmentpublicapi/get-traffic-split",
		Does: "how the traffic is split between environments"},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/project/{projectID}/environment/{projectEnvironmentIDOrAlias}", Scope: ScopeProjects, Source: reference + "environmentpublicapi/get-environment",
		Does: "an environment"},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/project/{projectID}", Scope: ScopeProjects, Source: specCLI,
		Does: "the project", Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/environment", Scope: ScopeProjects, Source: specCLI,
		Does: "list environments", Ours: []Field{FieldProject}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/environment/{environmentAlias}", Scope: ScopeProjects, Source: specCLI,
		Does: "an environment", Ours: []Field{FieldProject}, Unconfirmed: true},

	// export
	{Service: ServiceAPI, Method: "GET", Path: "/v2/versions/{versionID}/export", Scope: ScopeExport, Source: specProject,
		Does: "the export of the project's version", Query: []string{"prototype"}},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/project/{projectID}/environment/{environmentAlias}/export-json", Scope: ScopeExport, Source: reference + "environmentpublicapi/export-environment-json",
		Does: "the export of the project's environment", Ours: []Field{FieldStage}},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/environment/{environmentAlias}/export", Scope: ScopeExport, Source: reference + "environment/export-environment",
		Does: "the export of the project's environment", Ours: []Field{FieldProject}, Unconfirmed: true},
}

// legacyTurn are the parameters of the query of a turn, and legacyHeaders its headers, that the
// runtime reads (github.com/voiceflow/general-runtime, lib/services/interact/index.ts).
var (
	legacyTurn    = []string{"verbose", "logs", "locale"}
	legacyHeaders = []string{"Platform"}
)

// transcriptMembers are the members of a transcript that say whose it is. The specification has them
// below data, and clients send them without it.
var transcriptMembers = []Member{
	{At: []string{"sessionID"}, Is: FieldSession, IfThere: true},
	{At: []string{"data", "projectID"}, Is: FieldProject, IfThere: true},
	{At: []string{"data", "sessionID"}, Is: FieldSession, IfThere: true},
}

// filterMembers narrow a search or a count of /v1/stable.
var filterMembers = []Member{
	{At: []string{"environmentAlias"}, Is: FieldAlias},
	{At: []string{"version"}, Is: FieldStage},
}

// documentMembers say which environment a document is in. Voiceflow documents the member below data,
// and a part of a form with its name.
var documentMembers = []Member{{At: []string{dataMember, "projectEnvironmentIDOrAlias"}, Is: FieldEnvironmentRef}}

// documentList are the parameters of lists of documents, in the spellings that clients
// have for lists.
var documentList = []string{
	"page", "limit", "documentType", "includeTags", "includeTags[]", "excludeTags", "excludeTags[]",
	"includeAllNonTagged", "includeAllTagged",
}

// documentUpload are the parameters of uploads.
var documentUpload = []string{
	"overwrite", "maxChunkSize", "tags", "tags[]", "markdownConversion", "llmBasedChunks",
	"llmBasedChunking", "llmGeneratedQ", "llmPrependContext", "llmContentSummarization",
}
