if(OCCAM_SANITIZE)
  # What the undefined-behaviour sanitizer finds ends the program, or no test would fail for it.
  add_compile_options(-fsanitize=${OCCAM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${OCCAM_SANITIZE})
endif()
