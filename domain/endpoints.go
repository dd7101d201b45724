package domain

// endpoints is the allow-list: every call that is forwarded to Voiceflow, by scope and
// generation. No other call is forwarded. Outbound calls and running evaluations are left out,
// since they cost money outside a conversation. Calls that act on a conversation without naming its
// user are left out, and so are calls that build the assistant. The parameter unredacted is left
// out, since it undoes the redaction of transcripts.
//
// Sources: Voiceflow's API reference (docs.voiceflow.com/api-reference, 2026), its older
// OpenAPI files (github.com/voiceflow/voiceflow-docs, March 2026), and the specification
// in its command line (github.com/voiceflow/cli, .speakeasy/out.openapi.yaml, August
// 2026). For /v1/stable they document a personal access token; a project key was seen to open
// transcript/search. A call is Unconfirmed if no source says that a project key opens it.
var endpoints = []Endpoint{
	// converse, legacy: https://docs.voiceflow.com/reference/stateinteract-1
	{Service: ServiceRuntime, Method: "POST", Path: "/state/user/{userID}/interact", Scope: ScopeConverse,
		Does: "a turn", VersionHeader: true, Query: []string{"verbose", "logs"}, Body: JSONBody, Turn: true},
	{Service: ServiceRuntime, Method: "GET", Path: "/state/user/{userID}", Scope: ScopeConverse,
		Does: "the state of a conversation", VersionHeader: true},
	{Service: ServiceRuntime, Method: "PUT", Path: "/state/user/{userID}", Scope: ScopeState,
		Does: "set the state", VersionHeader: true, Body: AnyBody, Writes: true},
	{Service: ServiceRuntime, Method: "DELETE", Path: "/state/user/{userID}", Scope: ScopeConverse,
		Does: "delete the state", VersionHeader: true, Writes: true},
	{Service: ServiceRuntime, Method: "PATCH", Path: "/state/user/{userID}/variables", Scope: ScopeState,
		Does: "set variables of the state", VersionHeader: true, Body: AnyBody, Writes: true},
	// https://docs.voiceflow.com/api-reference/conversation/interact-stream
	{Service: ServiceRuntime, Method: "POST", Path: "/v2/project/{projectID}/user/{userID}/interact/stream", Scope: ScopeConverse,
		Does:  "a turn, streamed",
		Query: []string{"completion_events", "state", "audio_events", "audio_encoding", "modality", "userTimezone"},
		Ours:  []Field{FieldEnvironment}, Body: JSONBody, Members: []Member{{At: []string{"sessionID"}, Is: FieldSession}}, Turn: true},

	// converse, v4: https://docs.voiceflow.com/api-reference/conversations-api/overview
	{Service: ServiceRuntime, Method: "POST", Path: "/v4/project/{projectID}/session", Scope: ScopeConverse,
		Does: "open a v4 session", Body: JSONBody, Members: []Member{{At: []string{"userID"}, Is: FieldUser, Must: true}},
		Starts: true, ByAlias: "/v4/project/{projectID}/environment/{environmentAlias}/session"},
	{Service: ServiceRuntime, Method: "POST", Path: "/v4/project/{projectID}/environment/{environmentAlias}/session", Scope: ScopeConverse,
		Does: "open a v4 session in the project's environment", Body: JSONBody,
		Members: []Member{{At: []string{"userID"}, Is: FieldUser, Must: true}}, Starts: true,
		ByVersion: "/v4/project/{projectID}/session"},
	{Service: ServiceRuntime, Method: "POST", Path: "/v4/interact", Scope: ScopeConverse,
		Does: "a turn in a v4 session", Body: JSONBody, Turn: true, BySession: true},
	{Service: ServiceRuntime, Method: "POST", Path: "/v4/interact/stream", Scope: ScopeConverse,
		Does: "a turn in a v4 session, streamed", Body: JSONBody, Turn: true, BySession: true},

	// converse, /v1/stable
	{Service: ServiceRealtime, Method: "PUT", Path: "/v1/stable/conversation/{userID}", Scope: ScopeConverse,
		Does: "a turn", Ours: []Field{FieldProject, FieldAlias}, Body: JSONBody,
		Members: []Member{{At: []string{"version"}, Is: FieldStage}, {At: []string{"sessionID"}, Is: FieldSession}}, Turn: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/conversation-state/{userID}", Scope: ScopeConverse,
		Does: "the state of a conversation", Ours: []Field{FieldProject, FieldAlias, FieldStage}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1/stable/conversation-state/{userID}", Scope: ScopeState,
		Does: "change the state", Ours: []Field{FieldProject, FieldAlias, FieldStage}, Body: AnyBody, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "DELETE", Path: "/v1/stable/conversation-state/{userID}", Scope: ScopeConverse,
		Does: "delete the state", Ours: []Field{FieldProject, FieldAlias, FieldStage}, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1/stable/conversation-state/{userID}/variables", Scope: ScopeState,
		Does: "set variables of the state", Ours: []Field{FieldProject, FieldAlias, FieldStage}, Body: AnyBody, Writes: true, Unconfirmed: true},

	// transcripts, legacy: voiceflow-docs, reference/project-api.json
	{Service: ServiceAPI, Method: "GET", Path: "/v2/transcripts/{projectID}", Scope: ScopeTranscripts,
		Does: "list transcripts", Query: []string{"tag", "range", "startDate", "endDate"}},
	{Service: ServiceAPI, Method: "GET", Path: "/v2/transcripts/{projectID}/hasUnreadTranscripts", Scope: ScopeTranscripts,
		Does: "whether there are unread transcripts"},
	{Service: ServiceAPI, Method: "PUT", Path: "/v2/transcripts", Scope: ScopeTranscripts,
		Does: "save one's own conversation as a transcript", Body: JSONBody,
		Members: []Member{{At: []string{"projectID"}, Is: FieldProject}, {At: []string{"versionID"}, Is: FieldVersion}, {At: []string{"sessionID"}, Is: FieldSession, Must: true}},
		Writes:  true, Retired: true},
	{Service: ServiceAPI, Method: "GET", Path: "/v2/transcripts/{projectID}/{transcriptID}", Scope: ScopeTranscripts,
		Does: "the turns of a transcript", Query: []string{"limit", "offset"}},
	{Service: ServiceAPI, Method: "GET", Path: "/v2/transcripts/{projectID}/{transcriptID}/export", Scope: ScopeTranscripts,
		Does: "a transcript as a file", Query: []string{"format"}},
	{Service: ServiceAPI, Method: "PATCH", Path: "/v2/transcripts/{projectID}/{transcriptID}", Scope: ScopeTranscripts,
		Does: "mark a transcript", Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v2/transcripts/{projectID}/{transcriptID}/report_tag/{tagID}", Scope: ScopeTranscripts,
		Does: "tag a transcript", Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "DELETE", Path: "/v2/transcripts/{projectID}/{transcriptID}/report_tag/{tagID}", Scope: ScopeTranscripts,
		Does: "untag a transcript", Writes: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v2/transcripts/{projectID}/{transcriptID}/annotation/utteranceAddedTo", Scope: ScopeTranscripts,
		Does: "annotate a transcript", Body: AnyBody, Writes: true},
	// https://docs.voiceflow.com/api-reference/transcript/search-transcripts
	{Service: ServiceAnalytics, Method: "POST", Path: "/v1/transcript/project/{projectID}", Scope: ScopeTranscripts,
		Does: "search transcripts", Query: []string{"take", "skip", "order"}, Body: JSONBody, Filters: true,
		Members: []Member{{At: []string{"environmentID"}, Is: FieldEnvironmentID, IfThere: true}}},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript/{transcriptID}", Scope: ScopeTranscripts,
		Does: "a transcript with its turns", Query: []string{"filterConversation", "customTraceTypes", "customTraceTypes[]", "encode"}},
	// voiceflow-docs, reference/analytics-api.json
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-property/project/{projectID}", Scope: ScopeTranscripts,
		Does: "list properties of transcripts"},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-property/{propertyID}", Scope: ScopeTranscripts,
		Does: "a property"},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-property-value/transcript/{transcriptID}", Scope: ScopeTranscripts,
		Does: "the properties that a transcript has"},
	{Service: ServiceAnalytics, Method: "POST", Path: "/v1/transcript-property-value", Scope: ScopeTranscripts,
		Does: "give a transcript a property", Body: JSONBody, Writes: true},
	// transcripts, /v1/stable
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/transcript/search", Scope: ScopeTranscripts,
		Does: "search transcripts", Ours: []Field{FieldProject}, Body: JSONBody, Filters: true, Members: filterMembers},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/transcript/{transcriptID}", Scope: ScopeTranscripts,
		Does: "a transcript with its turns", Ours: []Field{FieldProject}, Unconfirmed: true},

	// transcripts:delete
	{Service: ServiceAPI, Method: "DELETE", Path: "/v2/transcripts/{projectID}/{transcriptID}", Scope: ScopeTranscriptsDelete,
		Does: "delete a transcript", Writes: true},
	{Service: ServiceAnalytics, Method: "DELETE", Path: "/v1/transcript/{transcriptID}", Scope: ScopeTranscriptsDelete,
		Does: "delete a transcript", Writes: true},
	{Service: ServiceAnalytics, Method: "DELETE", Path: "/v1/transcript-property-value/transcript/{transcriptID}/property/{propertyID}", Scope: ScopeTranscriptsDelete,
		Does: "take a property from a transcript", Writes: true},

	// analytics: voiceflow-docs, reference/analytics-api.json
	{Service: ServiceAnalytics, Method: "POST", Path: "/v1/query/usage", Scope: ScopeAnalytics,
		Does: "usage", Body: JSONBody, Members: []Member{{At: []string{"query", "[]", "filter", "projectID"}, Is: FieldProject, Must: true}}},
	{Service: ServiceAnalytics, Method: "POST", Path: "/v2/query/usage", Scope: ScopeAnalytics,
		Does: "usage", Body: JSONBody, Members: []Member{{At: []string{"data", "filter", "projectID"}, Is: FieldProject, Must: true}}},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-evaluation/project/{projectID}", Scope: ScopeAnalytics,
		Does: "list evaluations"},
	{Service: ServiceAnalytics, Method: "GET", Path: "/v1/transcript-evaluation/{evaluationID}", Scope: ScopeAnalytics,
		Does: "an evaluation"},
	// analytics, /v1/stable
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/analytics/query/{metric}/project/{projectID}", Scope: ScopeAnalytics,
		Does: "a metric over time", Body: JSONBody, Filters: true, Members: filterMembers, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/evaluation", Scope: ScopeAnalytics,
		Does: "list evaluations", Ours: []Field{FieldProject}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/evaluation/{evaluationID}", Scope: ScopeAnalytics,
		Does: "an evaluation", Ours: []Field{FieldProject}, Unconfirmed: true},

	// knowledge: https://docs.voiceflow.com/reference/knowledge-base-query
	{Service: ServiceRuntime, Method: "POST", Path: "/knowledge-base/query", Scope: ScopeKnowledge,
		Does: "ask the knowledge base", Body: JSONBody, Members: []Member{{At: []string{"projectID"}, Is: FieldProject}}},
	// voiceflow-docs, reference/knowledge-base-apis.json and knowledge-base-tags.json
	{Service: ServiceAPI, Method: "GET", Path: "/v1/knowledge-base/docs", Scope: ScopeKnowledge,
		Does: "list documents", Query: documentList},
	{Service: ServiceAPI, Method: "GET", Path: "/v1/knowledge-base/docs/{documentID}", Scope: ScopeKnowledge,
		Does: "a document with its chunks"},
	{Service: ServiceAPI, Method: "GET", Path: "/v3alpha/knowledge-base/docs", Scope: ScopeKnowledge,
		Does: "list documents", Query: documentList, Unconfirmed: true},
	{Service: ServiceAPI, Method: "GET", Path: "/v3alpha/knowledge-base/docs/{documentID}", Scope: ScopeKnowledge,
		Does: "a document with its chunks", Unconfirmed: true},
	{Service: ServiceAPI, Method: "GET", Path: "/v3alpha/knowledge-base/tags", Scope: ScopeKnowledge,
		Does: "list tags", Query: []string{"page", "limit"}},
	{Service: ServiceAPI, Method: "GET", Path: "/v3alpha/knowledge-base/tags/{tagID}", Scope: ScopeKnowledge,
		Does: "a tag"},
	// https://docs.voiceflow.com/api-reference/environmentpublicapi
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/public/knowledge-base/document", Scope: ScopeKnowledge,
		Does: "list documents", Query: documentList},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/public/knowledge-base/document/{documentID}", Scope: ScopeKnowledge,
		Does: "a document with its chunks"},
	// knowledge, /v1/stable
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/knowledge-base/query", Scope: ScopeKnowledge,
		Does: "ask the knowledge base", Ours: []Field{FieldProject, FieldAlias}, Body: JSONBody,
		Members: []Member{{At: []string{"version"}, Is: FieldStage}}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/knowledge-base/document", Scope: ScopeKnowledge,
		Does: "list documents", Query: documentList, Ours: []Field{FieldProject, FieldAlias}, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/knowledge-base/document/{documentID}", Scope: ScopeKnowledge,
		Does: "a document with its chunks", Ours: []Field{FieldProject, FieldAlias}, Unconfirmed: true},

	// knowledge:write
	{Service: ServiceAPI, Method: "POST", Path: "/v1/knowledge-base/docs/upload", Scope: ScopeKnowledgeWrite,
		Does: "add a document from a file", Query: documentUpload, Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v1/knowledge-base/docs/upload/url", Scope: ScopeKnowledgeWrite,
		Does: "add a document from a URL", Query: documentUpload, Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v1/knowledge-base/docs/upload/table", Scope: ScopeKnowledgeWrite,
		Does: "add a table", Query: documentUpload, Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v1/knowledge-base/docs/{documentID}/upload", Scope: ScopeKnowledgeWrite,
		Does: "replace a document from a file", Query: documentUpload, Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "PUT", Path: "/v1/knowledge-base/docs/{documentID}/upload/url", Scope: ScopeKnowledgeWrite,
		Does: "replace a document from a URL", Query: documentUpload, Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "DELETE", Path: "/v1/knowledge-base/docs/{documentID}", Scope: ScopeKnowledgeWrite,
		Does: "delete a document", Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/tags", Scope: ScopeKnowledgeWrite,
		Does: "add a tag", Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "PATCH", Path: "/v3alpha/knowledge-base/tags/{tagID}", Scope: ScopeKnowledgeWrite,
		Does: "change a tag", Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "DELETE", Path: "/v3alpha/knowledge-base/tags/{tagID}", Scope: ScopeKnowledgeWrite,
		Does: "delete a tag", Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/docs/{documentID}/tags/attach", Scope: ScopeKnowledgeWrite,
		Does: "tag a document", Body: AnyBody, Writes: true},
	{Service: ServiceAPI, Method: "POST", Path: "/v3alpha/knowledge-base/docs/{documentID}/tags/detach", Scope: ScopeKnowledgeWrite,
		Does: "untag a document", Body: AnyBody, Writes: true},
	{Service: ServiceRealtime, Method: "POST", Path: "/v1alpha1/public/knowledge-base/document", Scope: ScopeKnowledgeWrite,
		Does: "add a document", Query: documentUpload, Body: AnyBody, Writes: true},
	{Service: ServiceRealtime, Method: "POST", Path: "/v1alpha1/public/knowledge-base/document/upload/table", Scope: ScopeKnowledgeWrite,
		Does: "add a table", Query: documentUpload, Body: AnyBody, Writes: true},
	{Service: ServiceRealtime, Method: "PUT", Path: "/v1alpha1/public/knowledge-base/document/{documentID}", Scope: ScopeKnowledgeWrite,
		Does: "replace a document", Query: documentUpload, Body: AnyBody, Writes: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1alpha1/public/knowledge-base/document/{documentID}", Scope: ScopeKnowledgeWrite,
		Does: "change a document", Body: AnyBody, Writes: true},
	{Service: ServiceRealtime, Method: "DELETE", Path: "/v1alpha1/public/knowledge-base/document/{documentID}", Scope: ScopeKnowledgeWrite,
		Does: "delete a document", Writes: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1alpha1/public/knowledge-base/document/{documentID}/chunk/{chunkID}", Scope: ScopeKnowledgeWrite,
		Does: "change a chunk", Body: AnyBody, Writes: true, Unconfirmed: true},
	// knowledge:write, /v1/stable
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/knowledge-base/document/url", Scope: ScopeKnowledgeWrite,
		Does: "add a document from a URL", Ours: []Field{FieldProject, FieldAlias}, Body: AnyBody, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/knowledge-base/document/text", Scope: ScopeKnowledgeWrite,
		Does: "add a document from a file", Ours: []Field{FieldProject, FieldAlias}, Body: AnyBody, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "POST", Path: "/v1/stable/knowledge-base/document/table", Scope: ScopeKnowledgeWrite,
		Does: "add a table", Ours: []Field{FieldProject, FieldAlias}, Body: AnyBody, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "PATCH", Path: "/v1/stable/knowledge-base/document/{documentID}", Scope: ScopeKnowledgeWrite,
		Does: "change a document", Ours: []Field{FieldProject, FieldAlias}, Body: AnyBody, Writes: true, Unconfirmed: true},
	{Service: ServiceRealtime, Method: "DELETE", Path: "/v1/stable/knowledge-base/document/{documentID}", Scope: ScopeKnowledgeWrite,
		Does: "delete a document", Ours: []Field{FieldProject, FieldAlias}, Writes: true, Unconfirmed: true},

	// export: https://docs.voiceflow.com/api-reference/project/fetch-project
	{Service: ServiceAPI, Method: "GET", Path: "/v2/versions/{versionID}/export", Scope: ScopeExport,
		Does: "the export of the project's version", Query: []string{"prototype"}},
	// https://docs.voiceflow.com/api-reference/environmentpublicapi/export-environment-json
	{Service: ServiceRealtime, Method: "GET", Path: "/v1alpha1/project/{projectID}/environment/{environmentAlias}/export-json", Scope: ScopeExport,
		Does: "the export of the project's environment", Ours: []Field{FieldStage}},
	// https://docs.voiceflow.com/api-reference/environment/export-environment
	{Service: ServiceRealtime, Method: "GET", Path: "/v1/stable/environment/{environmentAlias}/export", Scope: ScopeExport,
		Does: "the export of the project's environment", Ours: []Field{FieldProject}, Unconfirmed: true},
}

// filterMembers narrow a search or a count of /v1/stable.
var filterMembers = []Member{
	{At: []string{"environmentAlias"}, Is: FieldAlias, IfThere: true},
	{At: []string{"version"}, Is: FieldStage, IfThere: true},
}

// documentList are the parameters of lists of documents, in the spellings that clients
// have for lists.
var documentList = []string{
	"page", "limit", "documentType", "includeTags", "includeTags[]", "excludeTags", "excludeTags[]",
	"includeAllNonTagged", "includeAllTagged",
}

// documentUpload are the parameters of uploads.
var documentUpload = []string{
	"overwrite", "maxChunkSize", "tags", "tags[]", "markdownConversion", "llmBasedChunks",
	"llmGeneratedQ", "llmPrependContext", "llmContentSummarization",
}
