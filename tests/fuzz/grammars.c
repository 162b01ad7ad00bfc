/* What each side of each protocol may say, whole, and what is nearly that. */
#include "grammar.h"

/* $a: any JSON. $x: members that no contract names. */
#define ANYTHING                                                                                   \
    {'a',                                                                                          \
     "{}|null|[]|7|'x'|true|-1.5e3|'\\ud83d\\ude00'|{'x':$a}|[$a,$a]|'$L'|1e999|{'x':1,'x':2}"},   \
        {'x', "|'x':$a|'extra':'$L'"}, {'b', "true|false|null|0"}

/* ---- gateway -------------------------------------------------------------------------------- */

static const fuzz_rule gateway_client[] = {
    {'m', "{'type':'heartbeat'}|{'type':'heartbeat','d':$a}|{'type':'identify','d':$i}"
          "|{'type':'identify','d':$i}|{'d':$i,'type':'identify'}|{'type':'resume','d':$r}"
          "|{'type':'resume','d':$r}|{'type':'resume','d':$r}|{'type':'$k','d':$a}"
          "|{'type':'voice_state_update','d':$v}|{'type':'presence_update','d':$p}"
          "|{'type':'typing','d':$f}|{'type':'typing_start','d':$f}|{'type':'mls_relay','d':$s}"
          "|{'type':'cpace_relay','d':$c}|{'type':'voice_codec_neg','d':$n}"
          "|{'type':'stage_response','d':$g}|{'type':'$k','seq':$N,'d':$a}|{'type':$a}|{$x}|$a"
          "|{'type':'heartbeat','type':'resume'}"},
    {'k', "unknown|heartbeat|identify|resume|hello|ready|typing|mls_relay|$L|"},
    {'i', "{'token':$t}|{'token':$t,'protocol_version':$w,'capabilities':$q}|{'capabilities':$q,"
          "'token':$t}|{'token':$t,'protocol_version':$w}|{}|$a"},
    {'t', "'t'|'t'|'t'|'u'|''|null|7"},
    {'w', "1|1|2|0|'1'|1.0|null|4294967297"},
    {'q', "['a','b']|[]|null|['b','c','a']|['a','a']|[1]|'a'|['$L']"},
    {'r', "{'token':$t,'session_id':$z,'last_seq':$l}|{'last_seq':$l,'session_id':$z,'token':$t}"
          "|{'token':$t,'session_id':$z}|{'session_id':$z,'last_seq':$l}|$a"},
    {'z', "'$S'|'$S'|'$S'|'$S'|''|null|'none such'|7|'$L'"},
    {'l', "$N|$N|$N|$N|$N|-1|1.5|'1'|18446744073709551616|null"},
    {'v', "{'self_mute':$b,'self_deaf':$b,'video':$b,'streaming':$b}|{}|{'self_mute':$b,$x}|$a"},
    {'p', "{'status':'$e'}|{'status':'$e','custom_status':$a,'activity':$a}|{}|$a"},
    {'e', "online|idle|dnd|offline|invisible|away"},
    {'f', "{'feed_id':500}|{'dm_id':$N}|{'feed_id':1,'dm_id':2}|{'feed_id':1.5}|{'dm_id':null}|{}"},
    {'s', "{'mls_type':'$o','data':'x'}|{'mls_type':'$o','data':$a}|{'data':'$L','mls_type':'$o'}"},
    {'o', "welcome|commit|proposal|isi|audio"},
    {'c', "{'cpace_type':'$d','pair_id':'p','data':'x'}|{'cpace_type':$a,'pair_id':$a,'data':$a}"},
    {'d', "isi|rsi|confirm|new_device_key|welcome"},
    {'n',
     "{'media_type':'audio','codec':'o'}|{'media_type':'screen','codec':'o','spatial_layers':1,"
     "'temporal_layers':null,'target_bitrates':[1,2],'dependency_templates':['a']}"
     "|{'media_type':'video','codec':'o','target_bitrates':[1,'x']}|$a"},
    {'g', "{'room_id':1,'response_type':'r','accepted':$b}|{'room_id':$a}|$a"},
    ANYTHING,
    {0, NULL},
};

static const fuzz_rule gateway_server[] = {
    {'m',
     "{'seq':$N,'type':'$e','d':$a}|{'seq':$N,'type':'$e','d':$a}|{'seq':$N,'type':'$e','d':$a}"
     "|{'type':'hello','seq':0,'d':$h}|{'type':'hello','d':$h}|{'seq':1,'type':'ready','d':$r}"
     "|{'seq':1,'type':'ready','d':$r}|{'seq':$N,'type':'ready','d':$r}"
     "|{'type':'heartbeat_ack','seq':$l}|{'type':'heartbeat_ack'}|{'type':'resumed','d':$u}"
     "|{'type':'resumed','d':$u}|{'type':'error','d':$o}|{'type':'error','seq':$N,'d':$o}"
     "|{'type':'$e','d':$a}|{'type':$a,'seq':$N}|{$x}|$a|{'seq':$l,'type':'$e'}"
     "|{'type':'ready','d':$r}|{'type':'e','seq':$N,'seq':$N}"},
    {'e', "e|message_create|f|heartbeat_ack|resumed|identify|$L|"},
    {'h', "{'heartbeat_interval':45000}|{'heartbeat_interval':1}|{'heartbeat_interval':$N}"
          "|{'heartbeat_interval':0}|{'heartbeat_interval':-1}|{'heartbeat_interval':1.5}|{}|$a"},
    {'r', "{'session_id':'s','protocol_version':1,'capabilities':['a']}|{'session_id':'$S'}"
          "|{'session_id':'\\u0073\\n'}|{'session_id':'other','user_id':$a,'server_time':$a}"
          "|{'session_id':''}|{'session_id':'$L'}|{'session_id':7}|{'protocol_version':2}|$a"},
    {'l', "$N|$N|0|-1|1.5|'1'|null|18446744073709551616"},
    {'u', "{'seq':$P}|{'seq':$P}|{'seq':$N}|{}|null|{'seq':'1'}"},
    {'o', "{'code':4000,'message':'m'}|{'code':'c'}|{'code':'internal','message':$a,$x}|{}|$a"},
    ANYTHING,
    {0, NULL},
};

/* ---- messaging ------------------------------------------------------------------------------ */

static const fuzz_rule messaging_client[] = {
    {'m',
     "{'type':'request','timestamp':$t,'id':'$i','payloadType':'subscribe','payload':{'lastEventId'"
     ":$N}}"
     "|{'type':'request','timestamp':$t,'id':'$i','payloadType':'subscribe','payload':$s}"
     "|{'type':'request','timestamp':1,'id':'$i','payloadType':'chat','payload':$c}"
     "|{'type':'request','timestamp':1,'id':'$i','payloadType':'new','payload':$n}"
     "|{'type':'request','timestamp':1,'id':'$i','payloadType':'edit','payload':$n}"
     "|{'type':'request','timestamp':1,'id':'$i','payloadType':'delete','payload':$n}"
     "|{'type':'request','timestamp':1,'id':'$i','payloadType':'$d','payload':$c}"
     "|{'type':'request','timestamp':1,'id':'$i','payloadType':'messages','payload':$g}"
     "|{'type':'request','timestamp':1,'id':'$i','payloadType':'chats','payload':{}}"
     "|{'payload':$a,'payloadType':$p,'id':$q,'timestamp':$t,'type':'request'}"
     "|{'type':'event','timestamp':$t,'eventType':'$e','payload':$a}"
     "|{'type':'event','timestamp':1,'payloadType':'$e'}|{'type':'event','id':$N,'timestamp':1}"
     "|{'type':'ack','id':$N}|{'type':'ack','id':'$N'}|{'type':'ack','id':$q}|ping| x"
     "|{'type':'response','timestamp':1,'id':'1'}|{'type':$a,$x}|$a|"},
    {'i', "$I|1|2|s1|\\u0031|$L||a b"},
    {'t', "1|1.5|0|-1|1700000000000|'1'|null|1e400"},
    {'s', "{}|{'lastEventId':null}|{'lastEventId':'x'}|{'lastEventId':-1}|$a"},
    {'c', "{'chatId':1}|{'chatId':'c'}|{'chatId':1,'messageId':$o}|{'chatId':null}|{}|$a"},
    {'n',
     "{'chatId':1,'message':'m'}|{'chatId':'c','message':'$L','messageId':$o,'attachments':[$a],"
     "'clientMessageId':$o,'replyTo':$o}|{'chatId':1,'originalMessageId':2,'message':$a}|$a"},
    {'o', "1|'m'|null|1.5|[]"},
    {'g', "{'chatId':1}|{'chatId':1,'startId':1,'count':500}|{'chatId':1,'endId':'e','count':501}"
          "|{'chatId':1,'startId':1,'endId':2}|{'chatId':1,'count':$N}"},
    {'d', "dlvrd|read|delivered|other|$L"},
    {'p', "'chats'|'other'|null|7|''"},
    {'q', "'$I'|'1'|null|7|''|'\\u0000'|$a"},
    {'e', "typing|online|new||$L"},
    ANYTHING,
    {0, NULL},
};

static const fuzz_rule messaging_server[] = {
    {'m', "{'type':'event','timestamp':1,'id':$N,'eventType':'$e','payload':$a}"
          "|{'type':'event','timestamp':1,'id':$N,'eventType':'new','payload':{}}"
          "|{'type':'event','timestamp':1,'id':$N,'eventType':'new'}"
          "|{'type':'event','timestamp':$t,'eventType':'typing'}"
          "|{'type':'event','timestamp':1,'id':$q,'eventType':$a}"
          "|{'type':'response','timestamp':1,'id':'$I','payload':{'lastEventId':$N,'count':$k}}"
          "|{'type':'response','timestamp':1,'id':'$I','payload':{'lastEventId':$P,'count':0}}"
          "|{'payload':{'count':$k,'lastEventId':$N},'id':'$I','timestamp':1,'type':'response'}"
          "|{'type':'response','timestamp':1,'id':'$I','payload':$p}"
          "|{'type':'response','timestamp':1,'id':'$I','payload':$p}"
          "|{'type':'response','timestamp':1,'id':'$I'}|{'type':'response','timestamp':1,'id':$q,"
          "'payload':$p}|{'event':'pong'}|{'event':$a}|{'type':'request','timestamp':1,'id':'1',"
          "'payloadType':'new'}|{'type':'ack','id':1}|{'type':$a,$x}|$a|pong"},
    {'e', "new|edit|delete|dlvrd|read|chats|typing|online|offline|other|$L|"},
    {'t', "1|1.5|0|-1|1700000000000|'1'|null"},
    {'k', "0|1|2|$N|7|-1|'1'|1.5"},
    {'q', "'$I'|null|$N|'1'|''|'$L'|$a"},
    {'p', "{}|{'error':{'code':'$c','message':'m'}}|{'error':{'code':'history_lost','message':'m',"
          "'firstEventId':$N}}|{'error':{'code':$a}}|{'error':$a}|$a"},
    {'c', "busy|ahead|history_lost|already_subscribed|invalid_payload|invalid_message|x"},
    ANYTHING,
    {0, NULL},
};

/* ---- FlowLayer ------------------------------------------------------------------------------ */

static const fuzz_rule flowlayer_client[] = {
    {'m', "{'type':'command','id':'$i','name':'$n'}|{'type':'command','id':'$i','name':'$n'}"
          "|{'type':'command','id':'$i','name':'get_logs','payload':$l}"
          "|{'type':'command','id':'$i','name':'get_logs','payload':$l}"
          "|{'type':'command','id':'$i','name':'$v','payload':$s}"
          "|{'type':'command','id':'$i','name':'$v','payload':$s}"
          "|{'payload':$a,'name':$q,'id':$q,'type':'command'}|{'type':'command','id':'$i'}"
          "|{'type':'$t','id':'$i','name':'hello'}|{'type':$q,$x}| {'type':'command','id':' $i ',"
          "'name':' $n '} |{'type':'command','id':'$i','name':'$n','payload':$a}|$a|"},
    {'i', "$I|1|2|3|\\u0034|a|$L|| "},
    {'n', "get_snapshot|stop_all|start_all|get_logs|reboot|start_service|$L|"},
    {'v', "start_service|stop_service|restart_service"},
    {'s',
     "{'service':'api'}|{'service':' web '}|{'service':'db'}|{'service':''}|{'service':7}|{}|$a"},
    {'l',
     "{}|{'limit':1}|{'after_seq':$N}|{'before_seq':$N}|{'after_seq':2,'before_seq':$N,'limit':2,"
     "'service':'api'}|{'service':'\\u0061pi'}|{'service':'none'}|{'limit':0}|{'limit':$N}"
     "|{'limit':null,'service':null}|{'after_seq':-1}|{'limit':1.5}|$a"},
    {'t', "ack|result|event|error|command|gossip|"},
    {'q', "'x'|null|''|' '|7|$a"},
    ANYTHING,
    {0, NULL},
};

static const fuzz_rule flowlayer_server[] = {
    {'m',
     "{'type':'event','name':'log','payload':$l}|{'type':'event','name':'l\\u006fg','payload':$l}"
     "|{'type':'event','name':'hello','payload':$h}|{'type':'event','name':'hello','payload':$h}"
     "|{'type':'event','name':'snapshot','payload':{'services':[$s]}}"
     "|{'type':'event','name':'snapshot','payload':{'services':[$s]}}"
     "|{'type':'event','name':'service_status','payload':$u}"
     "|{'type':'ack','id':'$I','payload':{'accepted':true}}"
     "|{'type':'ack','id':'$I','payload':{'accepted':false,'error':$e}}"
     "|{'type':'ack','id':'$I','payload':$k}|{'type':'result','id':'$I','payload':{'ok':true,"
     "'data':$d}}|{'type':'result','id':'$I','payload':{'ok':true,'data':$d}}"
     "|{'type':'result','id':'$I','payload':{'ok':true,'data':$d}}"
     "|{'type':'result','id':'$I','payload':$r}|{'type':'error','id':'$I','payload':$e}"
     "|{'type':'error','payload':$e}|{'type':'event','name':$q,'payload':$a}"
     "|{'type':'$t','id':$q,'name':$q,'payload':$a}|{'type':'command','id':'1','name':'x'}"
     "|{$x}|$a"},
    {'h', "{'protocol_version':1,'server':'flowlayer','capabilities':['get_logs']}|{'protocol_"
          "version':1}"
          "|{'protocol_version':1}|{'protocol_version':2}|{'protocol_version':'1'}|{}|$a"},
    {'s',
     "|{'name':'a','status':'ready'}|{'name':'a','status':'ready'},{'name':'b','status':'unknown'}"
     "|{'name':'b'}|{'name':'$L','status':'ready'}|{'name':'a','status':'ready'},{'name':'a',"
     "'status':'failed'}|$a|{'name':'c','status':'$w'},{'name':'d','status':'$w'}"},
    {'w', "starting|running|ready|stopping|failed|stopped|unknown|odd"},
    {'u', "{'service':'a','status':'$w','timestamp':'2026-01-01T00:00:00Z'}|{'service':'z','status'"
          ":'$w'}"
          "|{'service':'$L','status':'$w'}|{'service':7}|{}|$a"},
    {'l', "{'seq':$N,'message':'m'}|{'seq':$N,'message':'m'}|{'seq':$N,'message':'other'}"
          "|{'seq':$N,'service':'a','phase':'run','stream':'stdout','message':'$L','timestamp':'t'}"
          "|{'seq':0}|{'seq':-1}|{'seq':'1'}|{}|$a"},
    {'d', "{'entries':[$y],'truncated':$b,'effective_limit':$N}|{'entries':[],'truncated':false,"
          "'effective_limit':500}|{'entries':[],'truncated':true,'effective_limit':1}"
          "|{'entries':[$y,$y],'truncated':$b,'effective_limit':3}|{'entries':[$y]}|{}|$a"},
    {'y', "{'seq':$P,'message':'m'}|{'seq':$P,'message':'m'},{'seq':$N,'message':'m'}|$l|$l,$l,$l"},
    {'r',
     "{'ok':false,'error':$e}|{'ok':false}|{'ok':true}|{'ok':true,'data':null,'failed_services':["
     "'a']}|{'ok':1}|{'ok':false,'failed_services':[1]}|$a"},
    {'k', "{'accepted':1}|{}|{'accepted':false}|{'accepted':true,'error':null}|$a"},
    {'e', "{'code':'service_busy','message':'m'}|{'code':'c'}|{'message':'m'}|{'code':7}|{}|$a"},
    {'t', "ack|result|event|error|gossip|"},
    {'q', "'$I'|'weather'|null|''|' '|7|$a"},
    ANYTHING,
    {0, NULL},
};

/* ---- BlobHub -------------------------------------------------------------------------------- */

/* What both sides may say: $f one message, $m that or a batch; $c how it begins. */
#define BOTH_SIDES                                                                                 \
    {'m', "$f|$f|$f|$f|$f|$f|[$f]|[$f,$f]|[$f,$f,$f,$f,$f,$f,$f]|[]|[$f,$a]"},                     \
        {'c', "'jsonrpc':'2.0'|'jsonrpc':'2.0'|'jsonrpc':'2.0'|'jsonrpc':'2.0'|'jsonrpc':'1.0'"    \
              "|'jsonrpc':2.0|$x"},                                                                \
        {'i', "$I|$I|$I|0|1|'a'|'1'|1.0|-1|null|1e2|'$L'|{}|18446744073709551616"},                \
        {'p', "[1]|{}|{'x':$a}|null|7|[$a,$a]"},                                                   \
        {'e', "{'code':403,'message':'m'}|{'code':-32601,'message':'m','data':$a}|{'code':$N,'"    \
              "message':'m'}"                                                                      \
              "|{'code':'c','message':'m'}|{'code':1.5,'message':7}|{}|$a"},                       \
        {'o', "'scope':'o','scope_id':'1','target':'b','target_id':'1'|'scope':'o','scope_id':'1'" \
              ",'target'"                                                                          \
              ":'b','target_id':'2'|'target_id':'\\u0031','target':'b','scope_id':'1','scope':'o'" \
              "|'scope':'','scope_id':'','target':'','target_id':''|'scope':7|'scope':'$L'"},      \
        {'y', "'a'|'a','b'|'\\u0062','c'||'$L'|1|'a','a'"}

#define ANSWERS                                                                                    \
    "{$c,'id':$i,'result':{}}|{$c,'id':$i,'result':$a}|{$c,'id':$i,'error':$e}"                    \
    "|{'error':$e,'id':$i,$c}|{$c,'id':null,'error':{'code':400,'message':'?'}}"                   \
    "|{$c,'id':$i,'result':1,'error':null}|{$c,'id':$i}|{$x}|$a|nonsense"

static const fuzz_rule blobhub_client[] = {
    BOTH_SIDES,
    {'f',
     "{$c,'id':0,'method':'status/initialize','params':{'client_info':{'name':'n','version':'1'}}}"
     "|{$c,'id':0,'method':'status/initialize','params':{'client_info':{'name':'n','version':'1'}}}"
     "|{$c,'id':$i,'method':'status/initialize','params':$n}"
     "|{$c,'id':$i,'method':'subscription/add','params':{$o,'types':[$y]}}"
     "|{$c,'id':$i,'method':'subscription/add','params':{$o,'types':[$y]}}"
     "|{$c,'id':$i,'method':'subscription/remove','params':{'types':[$y],$o}}"
     "|{$c,'id':$i,'method':'subscription/$w','params':$p}|{$c,'method':'subscription/add',"
     "'params':{$o,'types':[$y]}}|{$c,'id':$i,'method':'blob/read','params':$p}"
     "|{'method':'blob/r\\u0065ad','id':$i,$c}|{$c,'method':'blob/touched','params':$p}"
     "|{$c,'id':$i,'method':$a}|" ANSWERS},
    {'n', "{'client_info':{'name':'n','version':'1'}}|{'client_info':{'name':7}}|{'client_info':$a}"
          "|{}|$p"},
    {'w', "add|remove|event|other|"},
    ANYTHING,
    {0, NULL},
};

static const fuzz_rule blobhub_server[] = {
    BOTH_SIDES,
    {'f',
     "{$c,'id':0,'result':{'server_info':{'name':'s','version':'1'}}}"
     "|{$c,'id':0,'result':{'server_info':{'name':'s','version':'1'}}}|{$c,'id':0,'result':$n}"
     "|{$c,'id':0,'error':$e}|{$c,'id':$i,'method':'blob/read','params':$p}"
     "|{$c,'id':$i,'method':'blob/read'}|{$c,'method':'blob/touched','params':$p}"
     "|{$c,'method':'subscription/event','params':{$o,'type':'a'}}"
     "|{$c,'method':'subscription/event','params':{$o,'type':'\\u0061','event':$a}}"
     "|{$c,'method':'subscription/event','params':$p}|{$c,'id':$i,'method':'subscription/event',"
     "'params':{$o,'type':'a'}}|{$c,'id':$i,'method':'status/initialize'}|" ANSWERS},
    {'n', "{'server_info':{'name':'s'}}|{'server_info':$a}|{}|$p"},
    ANYTHING,
    {0, NULL},
};

const fuzz_rule *fuzz_grammar_of(kedge_protocol protocol, kedge_role speaker)
{
    bool server = speaker == KEDGE_SERVER;
    switch (protocol) {
    case KEDGE_GATEWAY:
        return server ? gateway_server : gateway_client;
    case KEDGE_MESSAGING:
        return server ? messaging_server : messaging_client;
    case KEDGE_FLOWLAYER:
        return server ? flowlayer_server : flowlayer_client;
    default:
        return server ? blobhub_server : blobhub_client;
    }
}
