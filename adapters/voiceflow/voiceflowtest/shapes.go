package voiceflowtest

// member is one member of an export: its name and its value as JSON. Words of [Assistant.words]
// in the value are replaced. The value of diagrams is written piece by piece instead, because it
// is the large part.
type member struct{ name, value string }

// members are the members of an export of each shape, in their order. Many inner objects also
// have members named project, name, _id or createdAt, as in real exports. A reader that searches
// for names at any depth finds the wrong ones.
var members = map[Shape][]member{
	Shape2022: {
		{"_version", `"1.2"`},
		{"project", `{"_id":"$PROJECT","name":$NAME,"teamID":"w0Lk4f7QbZ","devVersion":"$VERSION","platform":$PLATFORM,` +
			`"platformData":{"invocationName":"template project general"},"members":[],"linkType":"STRAIGHT","image":"",` +
			`"customThemes":[],"_version":1.2,"creatorID":10042,"privacy":"private","liveVersion":"$LIVE",` +
			`"prototype":{"nlp":{"type":"LUIS","appID":"app","resourceID":"resource"},"data":{}}$CREATED}`},
		{"version", `{"_id":"$VERSION","variables":["sessions","user_id","timestamp","platform","locale"],` +
			`"platformData":{"slots":[],"intents":[{"key":"None","name":"None","slots":[],"inputs":[]}],` +
			`"settings":{"restart":true,"repeat":100,"locales":["en-US"],"defaultVoice":"Alexa"},"publishing":{},"platform":"general"},` +
			`"name":"Initial Version","projectID":"$PROJECT","manualSave":false,"autoSaveFromRestore":false,` +
			`"topics":[{"sourceID":"$ROOT","type":"DIAGRAM"}],"components":[],"rootDiagramID":"$ROOT","creatorID":10042,` +
			`"_version":3.91,"domains":[{"id":"home","name":"Home","live":true,"topicIDs":["$ROOT"],"rootDiagramID":"$ROOT"}],` +
			`"prototype":{"data":{"name":"Prototype","locales":["en-US"]},"model":{"intents":[],"slots":[]},` +
			`"context":{"stack":[],"variables":{}},"settings":{},"platform":$PLATFORM},"templateDiagramID":"$ROOT"}`},
		{name: "diagrams"},
		{"variableStates", `[{"_id":"$ROOT","name":"new user","startFrom":null,"variables":{"visited":"0"},"projectID":"$PROJECT"}]`},
	},

	Shape2024: {
		{"version", version2024},
		{name: "diagrams"},
		{"flows", `[]`},
		{"entities", `[{"id":"$ROOT","name":"user_name","createdByID":10042,"createdAt":"2019-01-01T00:00:00.000Z"}]`},
		{"entityVariants", `[]`},
		{"intents", `[{"id":"None","name":"None","createdByID":10042,"createdAt":"2019-01-01T00:00:00.000Z"}]`},
		{"utterances", `[]`},
		{"requiredEntities", `[]`},
		{"folders", `[]`},
		{"responses", `[]`},
		{"responseVariants", `[]`},
		{"responseMessages", `[]`},
		{"responseDiscriminators", `[]`},
		{"variables", `[{"id":"$ROOT","name":"visits","isSystem":false,"datatype":"any","defaultValue":null}]`},
		{"workflows", `[{"id":"$ROOT","name":"Home","isStart":true,"diagramID":"$ROOT"}]`},
		{"attachments", `[]`},
		{"cardButtons", `[]`},
		{"functions", `[]`},
		{"functionPaths", `[]`},
		{"functionVariables", `[]`},
		{"project", `{"type":"chat","name":$NAME,"image":"","teamID":"w0Lk4f7QbZ","members":[],"platform":$PLATFORM,"_version":1.2,` +
			`"linkType":"STRAIGHT","creatorID":10042,"updatedBy":10042,"platformData":{"invocationName":"template project general"},` +
			`"customThemes":[{"name":"Message","palette":{},"standardColor":"#cf80c3"}],"aiAssistSettings":{"aiPlayground":true},` +
			`"apiPrivacy":"public","_id":"$PROJECT","updatedAt":"2024-10-01T08:00:00.000Z"$CREATED,` +
			`"devVersion":"$VERSION","liveVersion":"$LIVE"}`},
		{"_version", `"1.2"`},
		{"variableStates", `[]`},
	},

	Shape2026: {
		{"version", version2024},
		{name: "diagrams"},
		{"flows", `[]`},
		{"entities", `[]`},
		{"intents", `[{"id":"None","name":"None","createdByID":10042,"createdAt":"2019-01-01T00:00:00.000Z"}]`},
		{"utterances", `[]`},
		{"requiredEntities", `[]`},
		{"folders", `[]`},
		{"responses", `[]`},
		{"responseMessages", `[]`},
		{"responseDiscriminators", `[]`},
		{"variables", `[]`},
		{"workflows", `[{"id":"$ROOT","name":"Home","isStart":true,"diagramID":"$ROOT"}]`},
		{"attachments", `[]`},
		{"prompts", `[]`},
		{"events", `[]`},
		{"functions", `[]`},
		{"functionPaths", `[]`},
		{"functionVariables", `[]`},
		{"agents", `[{"id":"$ROOT","name":"Untitled agent","description":null,"createdAt":"2019-01-01T00:00:00.000Z"}]`},
		{"apiTools", `[]`},
		{"integrationTools", `[]`},
		{"mcpServers", `[]`},
		{"simulations", `[]`},
		{"personas", `[]`},
		{"kbDocumentVersions", `[]`},
		{"transcriptEvaluations", `[]`},
		{"project", `{"type":"chat","name":$NAME,"image":"","teamID":"w0Lk4f7QbZ","members":[],"platform":$PLATFORM,"_version":1.2,` +
			`"linkType":"STRAIGHT","creatorID":10042,"updatedBy":10042,"platformData":{"invocationName":"template project general"},` +
			`"apiPrivacy":"private","_id":"$PROJECT","updatedAt":"2026-06-04T10:11:12.000Z"$CREATED,` +
			`"environments":{"$LIVE":{"id":"$LIVE","name":"Main","alias":"main","isMain":true,"draftVersionID":"$VERSION",` +
			`"publishedVersionID":null,"createdAt":"2026-06-03T16:20:45.000Z"}}}`},
		{"assistant", `{"id":"$PROJECT","name":"An assistant","createdAt":"2019-01-01T00:00:00.000Z","updatedAt":"2026-06-04T10:11:12.000Z",` +
			`"updatedByID":10042,"version":"$VERSION","workspaceID":"w0Lk4f7QbZ","activeEnvironmentID":"$LIVE"}`},
		{"_version", `"1.2"`},
		{"secrets", `[{"id":"$ROOT","name":"CRM","visibility":"restricted","hasValue":true,"assistantID":"$PROJECT",` +
			`"createdAt":"2019-01-01T00:00:00.000Z"}]`},
		{"variableStates", `[]`},
	},
}

const version2024 = `{"_version":13,"autoSaveFromRestore":false,"canvasTemplates":[],"components":[],"creatorID":10042,` +
	`"manualSave":false,"name":"Initial Version","platformData":{"slots":[],"intents":[],` +
	`"settings":{"restart":true,"repeat":100,"locales":["en-US"]},"publishing":{},"platform":$PLATFORM},` +
	`"prototype":{"type":"chat","data":{"name":"Prototype","locales":["en-US"]},"model":{"intents":[],"slots":[]},` +
	`"context":{"stack":[],"variables":{}},"settings":{},"platform":$PLATFORM},"settings":{},` +
	`"topics":[{"type":"DIAGRAM","sourceID":"$ROOT"}],"variables":["visits"],"_id":"$VERSION",` +
	`"updatedAt":"2024-10-01T08:00:00.000Z","domains":[{"id":"home","name":"Home","live":true,"topicIDs":["$ROOT"],` +
	`"rootDiagramID":"$ROOT"}],"projectID":"$PROJECT","rootDiagramID":"$ROOT","templateDiagramID":"$ROOT"}`
