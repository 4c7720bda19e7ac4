# The files of this folder are assembled into web_assets.c (.incbin): where the assembler finds them, and that a change
# of any of them compiles it anew. Included by the CMakeLists.txt of the room that has web_assets.c.
file(GLOB SALLYPORT_WEB_FILES CONFIGURE_DEPENDS
     "${PROJECT_SOURCE_DIR}/web/*.html" "${PROJECT_SOURCE_DIR}/web/*.css" "${PROJECT_SOURCE_DIR}/web/*.js"
     "${PROJECT_SOURCE_DIR}/web/*.svg")
set_source_files_properties(web_assets.c PROPERTIES
    COMPILE_OPTIONS "-Wa,-I${PROJECT_SOURCE_DIR}/web"
    OBJECT_DEPENDS "${SALLYPORT_WEB_FILES}")
